//! Programs that are given too much, or never come to an end: they are stopped, and hold no more than they may.

use super::try_all;
use crate::{kernel::Limits, shell::SHELL, testing::World};

#[tokio::test(start_paused = true)]
async fn what_never_ends_can_be_stopped() {
    try_all(&[
        ("timeout 5 yes > /dev/null; echo $?", "143\n", "", 0),
        ("timeout 5 awk 'BEGIN {while (1);}'; echo $?", "143\n", "", 0),
        ("timeout 5 awk 'function f() {f()} BEGIN {f()}'; echo $?", "1\n", "awk: Recursion too deep\n", 0),
        ("echo a | timeout 5 sed ':a;ba'; echo $?", "143\n", "", 0),
        ("timeout 5 cat /dev/zero > /dev/null; echo $?", "143\n", "", 0),
        ("timeout 5 seq 1 100000000000 > /dev/null; echo $?", "143\n", "", 0),
        ("timeout 5 tr a b < /dev/zero > /dev/null; echo $?", "143\n", "", 0),
        ("timeout 5 dd if=/dev/zero of=/dev/null 2> /dev/null; echo $?", "143\n", "", 0),
        ("timeout 5 md5sum /dev/zero; echo $?", "143\n", "", 0),
        ("timeout 5 tail -f /etc/group; echo $?", "root:x:0:\nnobody:x:65534:\n143\n", "", 0),
        ("ln -s . l; timeout 20 find -L /tmp -name x; echo $?", "0\n", "", 0),
        (
            "echo 'x' | sed -E 's/(((a{1,100}){1,100}){1,100}){1,100}/b/'; echo $?",
            "1\n",
            "sed: bad regex '(((a{1,100}){1,100}){1,100}){1,100}': Regular expression too big\n",
            0,
        ),
        ("printf '%d\\n' 1 | awk '{x = \"a\"; while (1) x = x x}'; echo $?", "1\n", "awk: read error: Cannot allocate memory\n", 0),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_accounted() {
    let world = World::new(SHELL);
    for script in [
        "sort /dev/zero",
        "tac /dev/urandom",
        "tail -n 100000000 /dev/urandom",
        "grep x /dev/zero",
        "head -n 1 /dev/zero",
        "awk 'BEGIN {while (1) a[n++] = n}'",
        "awk '{print}' /dev/zero",
        "sed 's/a/b/' /dev/zero",
        "cut -c1 /dev/zero",
        "rev /dev/zero",
        "uniq /dev/zero",
        "xargs < /dev/zero | cat",
    ] {
        let got = world
            .run_with(
                &["sh", "-c", &format!("{script} > /dev/null 2> /dev/null; exit 0")],
                "",
                Limits { heap: 2 << 20, steps: 2_000_000, ..Limits::default() },
            )
            .await;
        assert!(got.code == 137 || got.code == 0, "{script}: {got:?}");
    }
}
