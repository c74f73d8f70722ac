//! Scripts that mean harm, or ask for too much.

use std::time::Duration;

use super::world::World;
use crate::kernel::Limits;

#[tokio::test(start_paused = true)]
async fn what_nests_too_deeply_is_refused() {
    let nested = |open: &str, close: &str, depth: usize| format!("{}echo{}", open.repeat(depth), close.repeat(depth));
    let scripts = [
        "(".repeat(10_000),
        nested("( ", " )", 10_000),
        nested("{ ", "; }", 10_000),
        nested("echo $(", ")", 10_000),
        nested("echo ${x:-", "}", 10_000),
        nested("echo \"$(", ")\"", 10_000),
        nested("if true; then ", "; fi", 10_000),
        nested("case x in x) ", " esac", 10_000),
        nested("while true; do ", "; done", 10_000),
    ];
    for script in scripts {
        let found = World::new().run_file(&script).await;
        let what = &script[..20];
        let said = "/tmp/script: line 1: syntax error: too deeply nested\n";
        assert_eq!((found.out.as_str(), found.err.as_str(), found.code), ("", said, 2), "{what}");
    }
    let found = World::new().run(&["sh", "-c", &format!("echo $(({}1{}))", "(".repeat(10_000), ")".repeat(10_000))], "").await;
    assert_eq!((found.err.as_str(), found.code), ("sh: arithmetic syntax error\n", 2));
}

#[tokio::test(start_paused = true)]
async fn what_nests_reasonably_is_run() {
    let nested = |open: &str, close: &str, depth: usize| format!("{}echo a{}", open.repeat(depth), close.repeat(depth));
    let scripts = [
        nested("( ", " )", 30),
        nested("{ ", "; }", 30),
        nested("echo $(", ")", 30),
        nested("if true; then ", "; fi", 30),
        nested("case x in x) ", "; esac", 30),
        nested("for i in 1; do ", "; done", 30),
        nested("eval '", "'", 1),
    ];
    for script in scripts {
        let found = World::new().run(&["sh", "-c", &script], "").await;
        assert_eq!((found.out.as_str(), found.err.as_str(), found.code), ("a\n", "", 0), "{script}");
    }
}

#[tokio::test(start_paused = true)]
async fn endless_recursion_ends_as_the_real_shell_does() {
    for script in ["f() { f; }; f", "f() { if true; then f; fi; }; f", "f() { { f; } >/dev/null; }; f", "f() { eval f; }; f"] {
        let found = World::new().run(&["sh", "-c", script], "").await;
        assert_eq!((found.out.as_str(), found.code), ("", 139), "{script}: {}", found.err);
        let first = World::new().start(&["sh", "-c", script], "").end().await;
        assert_eq!(first.code, 139, "{script} as the first process");
    }
    // What nests deeply in each call may use up the memory first.
    let nested = |call: &str| format!("{} {call}; {}", "if true; then ".repeat(35), "fi;".repeat(35));
    for script in [format!("f() {{ {} }}; f", nested("f")), format!("f() {{ eval '{}'; }}; f", nested("f"))] {
        let found = World::new().run(&["sh", "-c", &script], "").await;
        assert!(found.out.is_empty() && matches!(found.code, 137 | 139), "{found:?}");
    }
    // A child at a time is bounded by how many there may be.
    let found = World::new().run(&["sh", "-c", "f() { (f); echo $?; }; f"], "").await;
    assert!(found.err.contains("sh: can't fork: Resource temporarily unavailable\n"), "{}", found.err);
    let found = World::new().run(&["sh", "-c", "f() { f | f; }; f"], "").await;
    assert!(found.err.contains("sh: can't fork: Resource temporarily unavailable\n"), "{}", found.err);
}

#[tokio::test(start_paused = true)]
async fn a_variable_that_grows_without_end_takes_only_its_own_container() {
    for script in [
        "x=aaaaaaaa; while :; do x=$x$x; done",
        "x=aaaaaaaa; while :; do x=\"$x$x$x$x\"; done",
        "x=a; while :; do set -- $x $x $x $x; x=\"$*\"; done",
        "x=$(while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done)",
        "x=$(cat /dev/zero)",
        "f() { local x=$x$y; f; }; y=$(i=0; while [ $i -lt 2000 ]; do echo aaaaaaaaa; i=$((i+1)); done); f",
        "i=0; while :; do i=$((i+1)); eval \"f$i() { :; }\"; done",
        "x=a; while :; do set -- \"$@\" $x; x=$x$x; [ ${#x} -gt 9000 ] && x=a; done",
        "{ echo \"'\"; cat /dev/zero; } | sh; exit 137",
        "i=0; while :; do i=$((i+1)); export x$i=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done",
    ] {
        let world = World::within(Limits { heap: 192 << 10, ..Limits::default() });
        let process = world.start(&["sh", "-c", script], "");
        let found = tokio::time::timeout(Duration::from_secs(3_600), process.end()).await;
        let code = found.map(|found| found.code);
        assert_eq!(code, Ok(137), "{script}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_endless_loop_lets_others_run() {
    for script in [
        "while :; do :; done",
        "while true; do true; done",
        "until false; do x=$((x+1)); done",
        "f() { :; }; while f; do f; done",
        "for i in 1 2; do while :; do continue 2; done; done; while :; do $(true); done",
    ] {
        let world = World::within(Limits { steps: 2_000, burst: 2_000, ..Limits::default() });
        let process = world.start(&["sh", "-c", script], "");
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(process.running.ended().is_none(), "{script}");
        process.running.signal(crate::Signal::KILL);
        assert_eq!(process.end().await.code, 137, "{script}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_costs_too_much_is_refused() {
    let long = "a".repeat(50_000);
    let found = World::new().run(&["sh", "-c", &format!("x={long}; echo \"${{x//*b/}}\"")], "").await;
    assert_eq!((found.err.as_str(), found.code), ("sh: pattern too long\n", 2));
    let found = World::new().run(&["sh", "-c", &format!("x={long}; echo ${{#x}} | cat; : {}", "word ".repeat(10_000))], "").await;
    assert_eq!((found.out.as_str(), found.code), ("50000\n", 0));
    let long = format!("echo {}", "a".repeat(1 << 20));
    let found = World::new().run_file(&long).await;
    assert_eq!((found.out.len(), found.code), ((1 << 20) + 1, 0));
    let words = format!("echo {}", "a ".repeat(200_000));
    let found = World::new().run_file(&words).await;
    assert_eq!((found.err.as_str(), found.code), ("/tmp/script: line 1: syntax error: too long\n", 2));
    let many = "echo a\n".repeat(3_000);
    let found = World::new().run(&["sh"], &many).await;
    assert_eq!((found.out.len(), found.code), (6_000, 0));
    let found = World::new().run(&["sh", "-c", "echo 99999999999999999999>/tmp/x; 99999999999>/tmp/y; cat /tmp/x"], "").await;
    assert_eq!(found.out, "99999999999999999999\n");
}
