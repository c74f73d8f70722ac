//! Programs about files.

use super::{try_all, try_with_input};
use crate::{
    kernel::Limits,
    shell::SHELL,
    testing::{Person, World, command},
};

#[tokio::test(start_paused = true)]
async fn a_person_sees_columns_and_colors() {
    let container = World::new(SHELL).container(Limits::default());
    let mut person = Person::at(&container, command(&["sh"]));
    person.sees("# ").await;
    person.types("mkdir d; cd d; mkdir a; touch b; touch c; ls\n").await;
    let screen = person.sees("c\u{1b}[m\r\n/d # ").await;
    assert!(screen.contains("\r\n\u{1b}[1;34ma\u{1b}[m  \u{1b}[0;0mb\u{1b}[m  \u{1b}[0;0mc\u{1b}[m\r\n"), "{screen:?}");
    person.types("seq 30 | more\n").await;
    let screen = person.sees("--More-- ").await;
    assert!(screen.contains("23\r\n--More-- ") && !screen.contains("24\r\n"), "{screen:?}");
    person.types("q").await;
    person.sees("/d # ").await;
    person.types("stty size\n").await;
    person.sees("24 80\r\n/d # ").await;
}

#[tokio::test(start_paused = true)]
async fn cat() {
    try_all(&[
        ("cat /tmp/healthy", "", "cat: can't open '/tmp/healthy': No such file or directory\n", 1),
        ("echo a > a; cat nosuch a", "a\n", "cat: can't open 'nosuch': No such file or directory\n", 1),
        ("cat /tmp", "", "cat: read error: Is a directory\n", 1),
        ("printf 'a\\n\\nb' | cat -n", "     1\ta\n     2\t\n     3\tb", "", 0),
        ("printf 'a\\n\\nb\\n' | cat -b", "     1\ta\n\n     2\tb\n", "", 0),
        ("printf 'a\\tb\\001\\n' | cat -A", "a^Ib^A$\n", "", 0),
        ("echo a > a; echo b | cat a - a", "a\nb\na\n", "", 0),
        (
            "cat -z",
            "",
            "cat: invalid option -- 'z'\nBusyBox v1.36.1 (2024-06-10 07:11:47 UTC) multi-call binary.\n\nUsage: cat [-nbvteA] [FILE]...\n",
            1,
        ),
    ])
    .await;
    try_with_input(&[("cat", "typed", "typed"), ("cat - < /etc/group", "", "root:x:0:\nnobody:x:65534:\n")]).await;
}

#[tokio::test(start_paused = true)]
async fn directories_are_made_and_removed() {
    try_all(&[
        ("mkdir /tmp/a/b", "", "mkdir: can't create directory '/tmp/a/b': No such file or directory\n", 1),
        ("mkdir -p /tmp/a/b/ && mkdir -p /tmp/a/b && ls /tmp/a", "b\n", "", 0),
        ("mkdir /tmp", "", "mkdir: can't create directory '/tmp': File exists\n", 1),
        ("mkdir -m 700 a && stat -c %a a", "700\n", "", 0),
        ("mkdir -p a/b; touch a/f; rmdir a", "", "rmdir: 'a': Directory not empty\n", 1),
        ("mkdir -p a/b; rmdir -p a/b; ls -d a", "", "ls: a: No such file or directory\n", 1),
        ("mkdir -p a/b; rm a", "", "rm: 'a' is a directory\n", 1),
        ("mkdir -p a/b/c; touch a/b/c/d a/e; ln -s b a/l; rm -r a; ls -d a", "", "ls: a: No such file or directory\n", 1),
        ("rm nosuch", "", "rm: can't remove 'nosuch': No such file or directory\n", 1),
        ("rm -f nosuch; rm -f; echo $?", "0\n", "", 0),
        ("mkdir d; cd d; rm -r .", "", "rm: can't remove '.' or '..'\n", 1),
        ("touch /tmp/healthy; rm -rf /tmp/healthy; ls /tmp", "", "", 0),
        ("echo y > yes; touch f; rm -i f < yes; ls f", "", "rm: remove 'f'? ls: f: No such file or directory\n", 1),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn files_are_copied() {
    try_all(&[
        ("cp nosuch x", "", "cp: can't stat 'nosuch': No such file or directory\n", 1),
        ("echo a > a; cp a b; cat b", "a\n", "", 0),
        ("mkdir d; cp d e", "", "cp: omitting directory 'd'\n", 1),
        ("mkdir -p d/s; echo 1 > d/s/f; ln -s f d/s/l; cp -r d e; cat e/s/f; readlink e/s/l", "1\nf\n", "", 0),
        ("mkdir -p d e; echo 1 > d/f; cp -r d e; cat e/d/f", "1\n", "", 0),
        ("mkdir d; echo 1 > a; cp a d; cp a d/; cat d/a", "1\n", "", 0),
        ("echo a > a; cp a a", "", "cp: 'a' and 'a' are the same file\n", 1),
        ("echo 1 > a; ln -s a l; cp l b; cp -P l c; cat b; readlink c", "1\na\n", "", 0),
        ("echo 1 > a; chmod 640 a; touch -d '2020-01-02 03:04:05' a; cp -p a b; stat -c '%a %Y' b", "640 1577934245\n", "", 0),
        ("echo 1 > a; echo 2 > b; cp -n a b; cat b", "2\n", "", 0),
        ("mkdir -p d/e; cp -r d d/e", "", "cp: recursion detected, omitting directory 'd/e/d'\n", 1),
        ("echo 1 > a; cp a no/b", "", "cp: can't create 'no/b': No such file or directory\n", 1),
        (
            "echo 1 > a; cp a b c",
            "",
            "cp: can't create 'c/a': No such file or directory\ncp: can't stat 'b': No such file or directory\n",
            1,
        ),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn files_are_moved_and_touched() {
    try_all(&[
        ("mv nosuch x", "", "mv: can't rename 'nosuch': No such file or directory\n", 1),
        ("echo a > a; mv a b; cat b; ls a", "a\n", "ls: a: No such file or directory\n", 1),
        ("mkdir d; echo a > a; mv a d; cat d/a", "a\n", "", 0),
        ("mkdir d; echo a > a; echo b > b; mv a b d; ls d", "a\nb\n", "", 0),
        ("touch a/b", "", "touch: a/b: No such file or directory\n", 1),
        ("touch -c a; ls a", "", "ls: a: No such file or directory\n", 1),
        ("touch -d @1000 a; stat -c %Y a; touch -r a b; stat -c %Y b", "1000\n1000\n", "", 0),
        ("touch -d rubbish a", "", "touch: invalid date 'rubbish'\n", 1),
        ("touch a; stat -c %y a", "2024-01-02 03:04:05.000000000 +0000\n", "", 0),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn directories_are_listed() {
    try_all(&[
        ("mkdir d; cd d; touch b a .h; mkdir c; ls; ls -A; ls -aF; ls -r", "a\nb\nc\n.h\na\nb\nc\n./\n../\n.h\na\nb\nc/\nc\nb\na\n", "", 0),
        ("mkdir d; echo 123 > d/f; chmod 600 d/f; ls -l d", "total 4\n-rw-------    1 root     root             4 Jan  2 03:04 f\n", "", 0),
        (
            "mkdir d; touch -d 2020-02-03 d/f; chown 7:8 d/f; ls -l d",
            "total 0\n-rw-r--r--    1 7        8                0 Feb  3  2020 f\n",
            "",
            0,
        ),
        ("mkdir d; ln -s /tmp d/l; ls -l d", "total 0\nlrwxrwxrwx    1 root     root             4 Jan  2 03:04 l -> /tmp\n", "", 0),
        ("ls -l /dev/null", "crw-rw-rw-    1 root     root        1,   3 Jan  2 03:04 /dev/null\n", "", 0),
        ("mkdir -p a/b c; touch f a/x; ls f a c", "f\n\na:\nb\nx\n\nc:\n", "", 0),
        ("mkdir -p a/b/c; ls -R a", "a:\nb\n\na/b:\nc\n\na/b/c:\n", "", 0),
        ("ls nosuch; echo $?", "1\n", "ls: nosuch: No such file or directory\n", 0),
        ("mkdir d; ls -ld d", "drwxr-xr-x    2 root     root          4096 Jan  2 03:04 d\n", "", 0),
        ("mkdir d; touch d/a d/b d/c; ls -C -w 20 d", "a  b  c\n", "", 0),
        ("mkdir d; touch -d @10 d/a; touch -d @20 d/b; ls -t d; ls -tr d", "b\na\na\nb\n", "", 0),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn archives() {
    try_all(&[
        ("mkdir -p d/e; echo 1 > d/f; echo 2 > d/e/g; tar cf a.tar d; tar tf a.tar", "d/\nd/e/\nd/e/g\nd/f\n", "", 0),
        ("mkdir -p d/e x; echo 1 > d/f; ln -s f d/l; tar czf a.tgz d; tar xzvf a.tgz -C x; cat x/d/l", "d/\nd/e/\nd/f\nd/l\n1\n", "", 0),
        ("mkdir -p /tmp/d; echo 1 > /tmp/d/f; tar cf - /tmp/d | tar tf -", "tmp/d/\ntmp/d/f\n", "tar: removing leading '/' from member names\n", 0),
        ("tar cf - /nosuch | tar tf -", "", "tar: /nosuch: No such file or directory\ntar: error exit delayed from previous errors\n", 0),
        ("tar cf a.tar /nosuch", "", "tar: /nosuch: No such file or directory\ntar: error exit delayed from previous errors\n", 1),
        ("echo rubbish | tar xf -", "", "tar: short read\n", 1),
        ("head -c 1024 /dev/urandom | tar xf -", "", "tar: invalid tar magic\n", 1),
        ("tar xf nosuch.tar", "", "tar: can't open 'nosuch.tar': No such file or directory\n", 1),
        ("mkdir d; echo 1 > d/a; echo 2 > d/b; tar cf t d; tar tf t d/a; tar xOf t d/b", "d/a\n2\n", "", 0),
        ("mkdir d; echo 1 > d/a; chmod 750 d/a; chown 7:8 d/a; touch -d @1000 d/a; tar cf t d; rm -r d; tar xf t; stat -c '%a %u %g %Y' d/a", "750 7 8 1000\n", "", 0),
        ("n=$(printf 'x%.0s' $(seq 120)); mkdir d; echo 1 > d/$n; tar cf t d; rm -r d; tar xf t; cat d/$n", "1\n", "", 0),
        ("echo 1 > a; ln a b; tar cf t a b; rm a b; tar xf t; stat -c %h a", "2\n", "", 0),
        ("mkdir d; echo 1 > d/a; touch d/b.o; tar cf t --exclude '*.o' d; tar tvf t", "drwxr-xr-x root/root         0 2024-01-02 03:04:05 d/\n-rw-r--r-- root/root         2 2024-01-02 03:04:05 d/a\n", "", 0),
    ])
    .await;
}
