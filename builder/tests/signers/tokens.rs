//! PKCS#11 tokens in process: `SoftHSM` as it is, and behind a module that takes the token away or answers garbage.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::site::Site;
use crate::support::stderr;

const PIN: &str = "4711-geheim";
/// Where distributions put the module.
const MODULES: &[&str] = &[
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
];

/// A site with a token `site` in `tokens/`, and the PIN in the file `pin`.
pub(crate) struct Token {
    pub(crate) site: Site,
    module: &'static str,
}

impl Token {
    /// Names the skip when the machine has no `SoftHSM` or no pkcs11-tool.
    pub(crate) fn new() -> Option<Self> {
        let Some(module) = MODULES.iter().find(|path| Path::new(path).is_file()) else {
            sealtrace_skip::skip("softhsm", "libsofthsm2.so is not installed");
            return None;
        };
        if !sealtrace_skip::has("pkcs11-tool") || !sealtrace_skip::has("softhsm2-util") {
            return None;
        }
        let mut site = Site::new();
        std::fs::create_dir(site.path("tokens")).unwrap();
        let configuration = format!("directories.tokendir = {}\nobjectstore.backend = file\n", site.path("tokens").display());
        std::fs::write(site.path("softhsm.conf"), configuration).unwrap();
        site.set("SOFTHSM2_CONF", site.path("softhsm.conf").to_str().unwrap());
        std::fs::write(site.path("pin"), format!("{PIN}\n")).unwrap();
        std::fs::set_permissions(site.path("pin"), std::fs::Permissions::from_mode(0o600)).unwrap();
        let token = Self { site, module };
        token.make_token("site");
        Some(token)
    }

    fn make_token(&self, label: &str) {
        self.site.shell(&format!("softhsm2-util --init-token --free --label {label} --pin {PIN} --so-pin 0815-offizier"));
    }

    /// pkcs11-tool, logged in to the token.
    pub(crate) fn tool(&self, line: &str) {
        self.site.shell(&format!("pkcs11-tool --module {} --token-label site --login --pin {PIN} {line}", self.module));
    }

    pub(crate) fn make_key(&self, kind: &str, label: &str, id: &str) {
        self.tool(&format!("--keypairgen --key-type {kind} --label '{label}' --id {id}"));
    }

    /// A reference to the token with the PIN's file.
    pub(crate) fn uri(&self, attributes: &str) -> String {
        format!("pkcs11:token=site;{attributes}?{}", self.query())
    }

    fn query(&self) -> String {
        format!("module-path={}&pin-source={}", self.module, self.site.path("pin").display())
    }

    fn refused(&self, uri: &str, code: i32, says: &[&str]) {
        let said = self.site.refused(&format!("sign bundle --key '{uri}'"), code, says);
        assert!(!said.contains(PIN), "{said}");
    }
}

#[test]
fn a_token_s_key_signs_in_process_and_the_bundle_goes_the_whole_way() {
    let Some(token) = Token::new() else { return };
    token.make_key("EC:prime256v1", "release key", "01");
    token.make_key("EC:prime256v1", "second", "02");
    let uri = token.uri("object=release%20key");
    let id = token.site.key_id(&format!("'{uri}'"));
    assert_eq!(token.site.key_id(&format!("'{}'", token.uri("id=%01;type=private"))), id);
    assert_ne!(token.site.key_id(&format!("'{}'", token.uri("object=second"))), id);
    token.tool("--read-object --type pubkey --id 01 --output-file token.der");
    token.site.shell("openssl pkey -pubin -inform DER -in token.der -out token.pub");
    assert_eq!(token.site.key_id("token.pub"), id);
    let signed = token.site.json(&format!("sign bundle --key '{uri}'"));
    assert_eq!((signed["signer"].as_str(), &signed["already"]), (Some(id.as_str()), &false.into()));
    // The token signs anew each time; the signature that is there counts.
    assert_eq!(token.site.json(&format!("sign bundle --key '{uri}'"))["already"], true);
    token.site.assert_whole_way(&id);
}

#[test]
fn the_pin_comes_from_a_file_the_environment_or_the_uri_and_is_never_shown() {
    let Some(mut token) = Token::new() else { return };
    token.make_key("EC:prime256v1", "release", "01");
    let module = token.module;
    let bare = format!("pkcs11:token=site;object=release?module-path={module}");
    token.refused(&bare, 2, &["token \"site\" wants a PIN", "pin-source", "SEALTRACE_PKCS11_PIN"]);
    token.refused(&format!("{bare}&pin-value=0000"), 2, &["refuses the PIN: PinIncorrect", "nothing was tried twice"]);
    token.refused(&format!("{bare}&pin-source=/nonexistent/pin"), 2, &["/nonexistent/pin"]);
    let file = token.site.path("pin");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    token.refused(&token.uri("object=release"), 2, &["has mode 0644", "chmod 600"]);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    for (content, says) in [
        (b"".to_vec(), "the PIN is empty"),
        (b"\n4711".to_vec(), "the PIN is empty"),
        (vec![0xff; 9], "not UTF-8"),
        (vec![b'1'; 300], "too long"),
        (vec![b'1'; 1 << 20], "larger than any key"),
    ] {
        std::fs::write(&file, content).unwrap();
        token.refused(&token.uri("object=release"), 2, &[says]);
    }
    let line = format!("key show '{bare}&pin-value={PIN}'");
    token.site.done(&line);
    token.site.set("SEALTRACE_PKCS11_MODULE", module);
    token.site.set("SEALTRACE_PKCS11_PIN", PIN);
    token.site.done("sign bundle --key 'pkcs11:token=site;object=release'");
    // An error that repeats the command repeats no PIN.
    let said = token.site.refused("sign bundle --key k.key", 2, &["already signed"]);
    assert!(!said.contains(PIN));
    token.site.done("sign bundle --key other.key --replace");
    let output = token.site.run(&format!("sign bundle --key '{bare}&pin-value={PIN}'"));
    let said = stderr(&output);
    assert!(said.contains("--key 'pkcs11:token=site;object=release?module-path=") && !said.contains(PIN), "{said}");
}

#[test]
fn a_key_that_is_missing_ambiguous_or_no_p256_key_is_refused_and_listed() {
    let Some(token) = Token::new() else { return };
    token.refused(&token.uri("object=release"), 2, &["no private key matches", "the token has: none"]);
    token.make_key("EC:prime256v1", "twin", "0a");
    token.make_key("EC:prime256v1", "twin", "0b");
    token.make_key("rsa:2048", "rsa", "02");
    token.make_key("EC:secp384r1", "p384", "03");
    token.refused(&token.uri("object=twin"), 2, &["2 private keys match", "object=\"twin\" id=%0A", "object=\"twin\" id=%0B", "by id="]);
    token.site.done(&format!("key show '{}'", token.uri("object=twin;id=%0B")));
    token.refused(&token.uri(""), 2, &["4 private keys match"]);
    token.refused(&token.uri("object=release"), 2, &["no private key matches", "object=\"p384\" id=%03, object=\"rsa\" id=%02"]);
    token.refused(&token.uri("object=twin;id=%02"), 2, &["no private key matches"]);
    token.refused(&token.uri("object=rsa"), 3, &["key object=\"rsa\" id=%02 is an RSA key", "P-256", "pkcs11-tool"]);
    token.refused(&token.uri("object=p384"), 3, &["an EC key on another curve"]);
    token.tool("--delete-object --type pubkey --id 0a");
    token.refused(&token.uri("id=%0A"), 2, &["does not show the one public half", "--write-object"]);
}

#[test]
fn a_token_that_is_not_there_or_twice_there_is_refused_and_listed() {
    let Some(token) = Token::new() else { return };
    token.make_key("EC:prime256v1", "release", "01");
    let query = token.query();
    token.refused(&format!("pkcs11:token=other;object=release?{query}"), 2, &["no token matches", "token=\"site\" serial="]);
    token.make_token("site");
    token.refused(&token.uri("object=release"), 2, &["2 tokens match", "by serial="]);
    std::fs::remove_dir_all(token.site.path("tokens")).unwrap();
    std::fs::create_dir(token.site.path("tokens")).unwrap();
    token.refused(&token.uri("object=release"), 2, &["no token matches", "there are: none"]);
    for (module, says) in
        [("/nonexistent.so", "/nonexistent.so cannot be used"), ("/bin/sh", "cannot be used"), ("/dev/null", "cannot be used")]
    {
        token.refused(&format!("pkcs11:token=site?module-path={module}"), 2, &[says]);
    }
}

/// A module in front of `SoftHSM`'s: all calls go through but `C_Sign`, which does what `SHIM_MODE` says. The function list is that of
/// PKCS#11 2.40: a version and then pointers, of which `C_Sign` is the 44th.
const SHIM: &str = r#"
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
typedef unsigned long word;
struct list { unsigned char version[2]; void *calls[68]; };
static struct list mine;
static int is(const char *mode) { const char *set = getenv("SHIM_MODE"); return set && !strcmp(set, mode); }
static word sign(word session, unsigned char *data, word data_length, unsigned char *out, word *length) {
    (void)session; (void)data; (void)data_length;
    if (is("removed")) return 0x32;
    if (is("refused")) return 0x68;
    word size = is("short") ? 10 : is("long") ? 300 : is("nothing") ? 0 : 64;
    if (out) memset(out, is("zeros") ? 0 : 0x5a, size);
    *length = size;
    return 0;
}
word C_GetFunctionList(struct list **out) {
    void *real = dlopen(getenv("SHIM_REAL"), RTLD_NOW);
    word (*get)(struct list **) = real ? (word (*)(struct list **))dlsym(real, "C_GetFunctionList") : 0;
    struct list *list;
    if (!get || get(&list)) return 5;
    mine = *list;
    mine.calls[43] = (void *)sign;
    *out = &mine;
    return 0;
}
"#;

#[test]
fn a_token_that_is_removed_or_answers_garbage_leaves_the_layout_untouched() {
    let Some(mut token) = Token::new() else { return };
    token.make_key("EC:prime256v1", "release", "01");
    std::fs::write(token.site.path("shim.c"), SHIM).unwrap();
    token.site.shell("gcc -shared -fPIC -o shim.so shim.c -ldl");
    token.site.set("SHIM_REAL", token.module);
    let uri = token.uri("object=release").replace(token.module, token.site.path("shim.so").to_str().unwrap());
    for (mode, code, says) in [
        ("removed", 2, "the token is gone: it cannot sign: DeviceRemoved (C_Sign)"),
        ("refused", 2, "cannot sign: KeyFunctionNotPermitted (C_Sign)"),
        ("garbage", 1, "the signer's answer is refused: signature does not verify"),
        ("zeros", 3, "zero or not below the order"),
        ("short", 3, "64 bytes, found 10"),
        ("long", 3, "64 bytes, found 300"),
        ("nothing", 3, "64 bytes, found 0"),
    ] {
        token.site.set("SHIM_MODE", mode);
        token.refused(&uri, code, &[says]);
    }
}
