//! A person at a terminal, and the first process of a container.

use std::time::Duration;

use super::world::{World, types};
use crate::{Signal, kernel::Limits};

#[tokio::test(start_paused = true)]
async fn a_person_talks_to_the_shell() {
    let world = World::within(Limits::default());
    let (process, mut keyboard) = world.talk(&["sh"]);
    let said = [
        ("", "/ # "),
        ("echo hi\n", "echo hi\r\nhi\r\n/ # "),
        ("cd /tmp\n", "/tmp # "),
        ("cd\n", "\r\n~ # "),
        ("nosuch\n", "sh: nosuch: not found\r\n~ # "),
        ("echo \"a\n", "> "),
        ("b\"\n", "a\r\nb\r\n~ # "),
        ("if true\n", "> "),
        ("then echo y; fi\n", "y\r\n~ # "),
        (")\n", "sh: syntax error: unexpected \")\"\r\n~ # "),
        ("${x?}\n", "sh: x: parameter not set\r\n~ # "),
        ("readonly r=1; r=2\n", "sh: r: is read only\r\n~ # "),
        ("sleep 9 & sleep 8 &\n", "&\r\n~ # "),
        ("jobs\n", "[2]+  Running                    sleep 8\r\n[1]-  Running                    sleep 9\r\n~ # "),
        ("kill %1\n", "kill %1\r\n[1]-  Terminated                 sleep 9\r\n~ # "),
        ("fg\n", "fg\r\nsleep 8\r\n"),
        ("\x03", "^C\r\n~ # "),
        ("echo $? $-\n", "130 smi\r\n~ # "),
        ("sleep 100\n", "sleep 100\r\n"),
        ("\x03", "^C\r\n~ # "),
        ("abc\x03", "abc^C\r\n~ # "),
        ("while :; do :; done\n", "done\r\n"),
        ("\x03", "^C"),
        ("trap 'echo got' INT\n", "INT\r\n~ # "),
        ("\x03", "^C\r\ngot\r\n~ # "),
        ("exit 3\n", "exit 3\r\n"),
    ];
    let mut seen = 0;
    for (typed, answer) in said {
        types(&mut keyboard, typed).await;
        for _ in 0..1_000 {
            if process.out.text()[seen..].contains(answer) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let text = process.out.text();
        assert!(text[seen..].contains(answer), "after {typed:?}: {:?}", &text[seen..]);
        seen = text.len();
    }
    assert_eq!(process.end().await.code, 3);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_input_ends_the_shell() {
    let world = World::new();
    let (process, mut keyboard) = world.talk(&["sh"]);
    process.says("/ # ").await;
    types(&mut keyboard, "false\n").await;
    process.says("false\r\n/ # ").await;
    types(&mut keyboard, "\x04").await;
    assert_eq!(process.end().await.code, 1);
}

#[tokio::test(start_paused = true)]
async fn the_prompt_is_expanded() {
    let world = World::new();
    let (process, mut keyboard) = world.talk(&["sh"]);
    types(&mut keyboard, "x=5; PS1='\\u@\\h:\\W $x\\$ '\n").await;
    process.says("root@box:/ 5# ").await;
    types(&mut keyboard, "x=6; cd /usr/bin\n").await;
    process.says("root@box:bin 6# ").await;
}

#[tokio::test(start_paused = true)]
async fn what_comes_last_takes_the_place_of_the_shell() {
    let cases = [
        ("sleep 5", "sleep 5"),
        ("exec sleep 5", "sleep 5"),
        (":; sleep 5", "sleep 5"),
        ("echo x && sleep 5", "sleep 5"),
        (":\nsleep 5", "sleep 5"),
        ("(sleep 5)", "sleep 5"),
        ("sleep 5\n", "sh -c sleep 5\n"),
        ("sleep 5; sleep 5", "sh -c sleep 5; sleep 5"),
        ("x=1 sleep 5", "sleep 5"),
        ("trap 'echo hi' TERM; sleep 5", "sh -c trap 'echo hi' TERM; sleep 5"),
        ("if true; then sleep 5; fi", "sleep 5"),
        ("eval sleep 5", "sh -c eval sleep 5"),
        ("sleep 5 | sleep 6", "sh -c sleep 5 | sleep 6"),
        ("/bin/sleep 5", "/bin/sleep 5"),
        ("sleep 5 >/dev/null", "sleep 5"),
        ("f() { sleep 5; }; f", "sh -c f() { sleep 5; }; f"),
        ("while true; do sleep 5; done", "sh -c while true; do sleep 5; done"),
    ];
    for (script, expected) in cases {
        let world = World::new();
        let _process = world.start(&["sh", "-c", script], "");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(world.processes().first().map(String::as_str), Some(expected), "{script}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_process_ends_at_a_signal_only_if_it_says_so() {
    let ignores = World::new();
    let ignores = ignores.start(&["sh", "-c", "while true; do sleep 1; done"], "");
    tokio::time::sleep(Duration::from_secs(2)).await;
    ignores.running.signal(Signal::TERM);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(ignores.running.ended().is_none());
    let catches = World::new();
    let catches = catches.start(&["sh", "-c", "trap 'echo bye; exit 0' TERM; while true; do sleep 10; done"], "");
    tokio::time::sleep(Duration::from_secs(2)).await;
    catches.running.signal(Signal::TERM);
    tokio::time::sleep(Duration::from_secs(2)).await;
    // The trap runs when the child has ended.
    assert!(catches.running.ended().is_none());
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(catches.end().await.out, "bye\n");
    let waits = World::new();
    let waits = waits.start(&["sh", "-c", "trap 'echo bye; exit 4' TERM; sleep 1000 & wait"], "");
    tokio::time::sleep(Duration::from_secs(2)).await;
    waits.running.signal(Signal::TERM);
    let found = tokio::time::timeout(Duration::from_secs(1), waits.end()).await.unwrap();
    assert_eq!((found.out.as_str(), found.code), ("bye\n", 4));
}
