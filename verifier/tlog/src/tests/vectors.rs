//! Keys and lines that other implementations made.

/// The example of C2SP signed-note.
pub(super) const SPEC_VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
pub(super) const SPEC_NOTE: &str = "This is an example message.\n\n\
    — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

/// The example of golang.org/x/mod/sumdb/note: two keys on one text.
pub(super) const PETER_VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
pub(super) const ENOCH_VKEY: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
pub(super) const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n\
    — EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

/// What the lines of [`OTHER_TYPES`] sign.
pub(super) const OTHER_TEXT: &str = "log.example.com/old\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
/// vkey and line of keys of RSA-2048, P-384, P-521 and P-256, all over SHA-256, made with `cryptography` 48 for Python.
pub(super) const OTHER_TYPES: [(&str, &str); 4] = [
    (
        "log.example.com/old+33bdab85+/1BLSVgtUlNBLVBLQ1MjMXYxLjUwggEiMA0GCSqGSIb3DQEBAQUAA4IBDwAwggEKAoIBAQCiJjR/sjb4jWkiolQl5UB+3AyiUW7rJaDnkBzynIVp5VsLiBMEmieYIg11OH7n6dbF7AEYs0bxQlfbSCJ8U+MdFPUBxx38NY98R68DXttLyqAnH2ig1/cKD1d1EUrEzm1jTkXk0E8FR9qIkPNjKKYnik8trhyZXKEd0Cpw1bJMdEKVLl7rP7SNupgQycrQfjvZ6o6FhOCqGTcWyFZ9NCIXwfLJEmsrHS2gZiTTDCPsPgRxG45vVqFAw9vXIjnySTTGccPnlNwUgf+L4RvjgmjK0MMDUUbBXbEUBLL6qbNWNAtXiIEqoeuQwyHx5UiYqDv9EG4iJSJI0k5rtfpX1QlVAgMBAAE=",
        "— log.example.com/old M72rhTXksHCXEmR9OjghbT9XY/0/mwII+YuDLZih9nZWFXDBTO3FYgcgzBjeZnZnlk+xMSrMhbp9C++Bz1ZyKt5J4jFuW86rQcjHgLxxD3k5H1JsRXTrFQ7vMCvlX02I2aIP50/sL7gNcjT9d+TljfeqHMk2k4AO4RfZzv2+c+fwCjdjUwllyfVJCShBmmPNNviGKPyU4/Z2qXYLBjiGGdJXoNgdSXqhnzd5WE38Cry7tBJ2nmwIXWm+3Fejb6cjniZ3aoOACjRWrYyh4yGv5CT3NwZgEsRm3Msg/gNT54yFCPhMkFGGWe9mKfjwAnsruALsFOJkkF3ZZMRU9JatEGM/Wq4=",
    ),
    (
        "log.example.com/old+e4a9238e+AjB2MBAGByqGSM49AgEGBSuBBAAiA2IABO99B/N9Qh5ioxrDuo9MbVJBxaukCcXhPrZlcvo52ydOnvtIzlqjNxImiSOQV9iDJGbupS4CbM2LKVMbujM/8MXDDQSHp+EdLvu8Hct2QbwTiBmjM32WDSi9/3IZzPLS7Q==",
        "— log.example.com/old 5KkjjjBlAjAUzPlocrN72sRRAILL9YT9uc2m0T0Gbbp6KYlPRzVrAatuW0z96NsIkTe+MNSu/noCMQC+ddEn+Ik7VsUW6oBKQiD4tlTvzAgQJ6YA2CBZqDI3AtonZoCB3ySYgSs5sw37gBM=",
    ),
    (
        "log.example.com/old+6f849a1a+AjCBmzAQBgcqhkjOPQIBBgUrgQQAIwOBhgAEAHpczuMRLLEqEckUyZ9k4PNzq9aqu05ewrSVQ9j78cS6ZF0v70TaSYM82iI1WIu6QCYUSzj92cikUR2TsXwpW6mnAHlCnoA/JYTCVc0Z/p1/Y37PJ3ztGICIMY8/79Py+xqRXOAftIRG535zDEjby3io73jnhqZcXPp4eqVS+wU185sZ",
        "— log.example.com/old b4SaGjCBiAJCAXu++Cv9akxzhTcUcgZAVPdSfntQMmvjNJ2//oRmHeVkkCEmehkuVAzDqGbblDPKGzO1eUC4aGvBOsqcr+JbQkZNAkIBLfOC5/qrxqNzm1e/U8iVTto+/KDzFETu1gS20TogTQ6htVnQAN3+vlGhA9O234iV447lWj6EFONHlV1mxvVmWGg=",
    ),
    (
        "log.example.com/old+054fdf4d+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNvSouwzGqbKK8h+kRjKcj05KUwqM/KAzdHnN1jNKtpayjRi57WcfcQ22oAMFSnR91CLn/4xRVpjav9fh0ore/E=",
        "— log.example.com/old BU/fTTBEAiAZ99peF7jiFbFpp/GvI5rzzm/FMmGc07pofToOIXRurQIgYNKivQHGPMjwzUvo2A2mtua//IFjtTcwYkccmmkr7nE=",
    ),
];

/// The log of [`super::REAL`], and the three log witnesses that cosigned it.
pub(super) const REAL_LOG: &str = "log2025-alpha3.rekor.sigstage.dev+d3d3a70c+AZQ93VXPMmj9uZj7U/7CefQ9yy8RgYFv6mKzOseipjqp";
pub(super) const REAL_WITNESSES: [&str; 3] = [
    "witness.navigli.sunlight.geomys.org+a3e00fe2+BNy/co4C1Hn1p+INwJrfUlgz7W55dSZReusH/GhUhJ/G",
    "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
    "staging.witness.transparency.goog/ring-any-bells+2e1a8dc9+BG5JTpLc3FJtwzgh1Uv+Qelz9qeOH2bfWjS1s0s+y4rL",
];

/// What `go run . make DIR one` of testdata/interop/notes made.
pub(super) const GO_POLICY: &str = include_str!("../../../../testdata/fixtures/notes/policy.txt");
pub(super) const GO_PROOF: &str = include_str!("../../../../testdata/fixtures/notes/cosigned.tlog-proof");
/// The entry that the proof shows.
pub(super) const GO_ENTRY: &[u8] = b"one";
