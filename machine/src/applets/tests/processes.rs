//! Programs about processes, time and the machine.

use super::{Case, try_all, try_on_network};

#[tokio::test(start_paused = true)]
async fn time() {
    let cases: &[Case<'_>] = &[
        ("date", "Tue Jan  2 03:04:05 UTC 2024\n", "", 0),
        ("sleep 61; date +%T", "03:05:06\n", "", 0),
        (
            "date -u -d @0 '+%Y-%m-%d %H:%M:%S'; date -R; date -I; date -Iseconds",
            "1970-01-01 00:00:00\nTue, 02 Jan 2024 03:04:05 +0000\n2024-01-02\n2024-01-02T03:04:05+00:00\n",
            "",
            0,
        ),
        ("TZ=Asia/Shanghai date", "Tue Jan  2 11:04:05 CST 2024\n", "", 0),
        ("date -d never", "", "date: invalid date 'never'\n", 1),
        ("date -s 12:00", "Tue Jan  2 12:00:00 UTC 2024\n", "date: can't set date: Operation not permitted\n", 1),
        ("sleep x", "", "sleep: invalid number 'x'\n", 1),
        ("sleep 0.5 1s && date +%s.%N", "1704164646.500000000\n", "", 0),
    ];
    for case in cases {
        // Each with a clock that begins anew.
        try_all(&[*case]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn environment() {
    try_all(&[
        ("env -i A=1 env", "A=1\n", "", 0),
        ("env -i A=1 B=2 /bin/sh -c 'echo $A$B'", "12\n", "", 0),
        ("env nosuch; echo $?", "127\n", "env: can't execute 'nosuch': No such file or directory\n", 0),
        ("A=1 printenv A nosuch; echo $?", "1\n1\n", "", 0),
        ("env -u HOME printenv HOME; echo $?", "1\n", "", 0),
        ("hostname; hostname -s", "box\nbox\n", "", 0),
        ("hostname x", "", "hostname: sethostname: Operation not permitted\n", 1),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn processes() {
    try_all(&[
        ("sleep 100 & ps; true", "PID   USER     TIME  COMMAND\n    1 root      0:00 sh -c sleep 100 & ps; true\n    2 root      0:00 sleep 100\n    3 root      0:00 ps\n", "", 0),
        ("ps aux | grep -c ps", "3\n", "", 0),
        ("ps -o pid,comm; true", "PID   COMMAND\n    1 sh\n    2 ps\n", "", 0),
        ("ps -o rubbish", "", "ps: bad -o argument 'rubbish', supported arguments: user,group,comm,args,pid,ppid,pgid,etime,nice,rgroup,ruser,time,tty,vsz,sid,stat,rss\n", 1),
        ("sleep 100 & pidof sleep; pgrep sl; pgrep -l sl; pkill sleep; wait $!; echo $?", "2\n2\n2 sleep\n143\n", "", 0),
        ("/bin/kill 99; /bin/kill -l 15", "TERM\n", "kill: can't kill pid 99: No such process\n", 0),
        ("killall nosuch", "", "killall: nosuch: no process killed\n", 1),
        ("sleep 100 & killall -9 sleep; wait $!; echo $?", "137\n", "", 0),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn names() {
    try_on_network(&[
        (
            "nslookup web.default.svc.cluster.local",
            "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\nName:\tweb.default.svc.cluster.local\nAddress: 10.254.1.2\n\n\n",
            "",
            0,
        ),
        (
            "nslookup web.default",
            "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n** server can't find web.default: NXDOMAIN\n\n** server can't find web.default: NXDOMAIN\n\n",
            "",
            1,
        ),
        ("nslookup -type=a web", "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\nName:\tweb.default.svc.cluster.local\nAddress: 10.254.1.2\n\n** server can't find web.svc.cluster.local: NXDOMAIN\n\n", "", 1),
        ("nslookup 10.254.1.2", "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n2.1.254.10.in-addr.arpa\tname = web.default.svc.cluster.local\n\n", "", 0),
        ("nslookup web 10.1.1.1", ";; connection timed out; no servers could be reached\n\n", "", 1),
        ("nslookup", "", "BusyBox v1.36.1 (2024-06-10 07:11:47 UTC) multi-call binary.\n\nUsage: nslookup [-type=QUERY_TYPE] [-debug] HOST [DNS_SERVER]\n", 1),
        ("nslookup -type=foo web", "", "nslookup: invalid query type \"foo\"\n", 1),
    ])
    .await;
}
