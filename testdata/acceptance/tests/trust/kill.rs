//! A kill at any moment of `kit apply` leaves the old trust folder or the new one.

use std::process::Stdio;
use std::time::Duration;

use crate::scene::Scene;

#[test]
fn a_kill_at_any_moment_leaves_the_old_kit_or_the_new_one() {
    let scene = Scene::new("kill");
    scene.enrolled();
    let old = std::fs::read(scene.path("kit2.json")).unwrap();
    scene.ok("symbol-bundle kit create --previous kit2.json --key k1.key --key k2.key --reference-time 2026-11-03T00:00:00Z -o kit3.json");
    let new = std::fs::read(scene.path("kit3.json")).unwrap();
    let (mut old_seen, mut new_seen) = (0, 0);
    for round in 0..60_u64 {
        drop(std::fs::remove_dir_all(scene.path("victim")));
        std::fs::create_dir(scene.path("victim")).unwrap();
        sealtrace_acceptance::succeed(
            std::process::Command::new("cp").args(["-a", "store/trust", "store/state", "victim/"]).current_dir(&scene.folder),
        );
        let mut command = scene.tool("symbol-bundle kit apply kit3.json --store victim");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(round * 250));
        drop(child.kill());
        child.wait().unwrap();
        let held = std::fs::read(scene.path("victim/trust/kit.json")).unwrap();
        assert!(held == old || held == new, "round {round}: neither kit");
        if held == old {
            old_seen += 1
        } else {
            new_seen += 1
        }
        scene.ok("symbol-bundle trust list victim/trust");
        scene.ok("symbol-bundle kit apply kit3.json --store victim");
        assert_eq!(std::fs::read(scene.path("victim/trust/kit.json")).unwrap(), new, "round {round}");
        assert_eq!(scene.files("victim"), ["state", "trust"], "round {round}");
    }
    println!("kills: {old_seen} left the old kit, {new_seen} the new one");
    assert!(old_seen > 0);
}
