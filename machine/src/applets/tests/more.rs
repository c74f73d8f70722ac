//! The many small programs.

use super::{try_all, try_on_network, try_with_input};

#[tokio::test(start_paused = true)]
async fn lines_in_other_orders() {
    try_with_input(&[
        ("sort", "b\na\nc\n", "a\nb\nc\n"),
        ("sort -r", "b\na\nc\n", "c\nb\na\n"),
        ("sort -n", "10\n9\n-1\nx\n", "-1\nx\n9\n10\n"),
        ("sort -u", "b\na\nb\n", "a\nb\n"),
        ("sort -k2", "a 2\nb 1\n", "b 1\na 2\n"),
        ("sort -t: -k2n", "a:10\nb:9\n", "b:9\na:10\n"),
        ("sort -t: -k1,1 -k2,2rn", "a:1\nb:1\na:2\n", "a:2\na:1\nb:1\n"),
        ("sort -h", "1M\n2K\n10\n", "10\n2K\n1M\n"),
        ("sort -V", "v1.10\nv1.9\n", "v1.9\nv1.10\n"),
        ("sort -f", "B\na\nC\n", "a\nB\nC\n"),
        ("sort -c; echo $?", "a\nb\n", "0\n"),
        ("uniq", "a\na\nb\na\n", "a\nb\na\n"),
        ("uniq -c", "a\na\nb\n", "      2 a\n      1 b\n"),
        ("uniq -d", "a\na\nb\n", "a\n"),
        ("uniq -u", "a\na\nb\n", "b\n"),
        ("cut -d: -f1,3", "a:b:c\nx\n", "a:c\nx\n"),
        ("cut -d: -f2-", "a:b:c\n", "b:c\n"),
        ("cut -c2-3", "abcd\n", "bc\n"),
        ("cut -s -d: -f1", "x\na:b\n", "a\n"),
        ("tr a-z A-Z", "hello\n", "HELLO\n"),
        ("tr -d '\\r\\n'", "a\r\nb\n", "ab"),
        ("tr -s ' '", "a   b\n", "a b\n"),
        ("tr -cd '[:digit:]'", "a1b2\n", "12"),
        ("tr '[:lower:]' '[:upper:]'", "abc\n", "ABC\n"),
        ("rev", "abc\nxy\n", "cba\nyx\n"),
        ("tac", "1\n2\n3\n", "3\n2\n1\n"),
        ("nl", "a\n\nb\n", "     1\ta\n       \n     2\tb\n"),
        ("fold -w 3", "abcdefg\n", "abc\ndef\ng\n"),
        ("paste -s -d,", "1\n2\n3\n", "1,2,3\n"),
        ("tee f; cat f", "a\n", "a\na\n"),
        ("xargs echo x", "a b\nc\n", "x a b c\n"),
        ("xargs -n 1 echo", "a b\n", "a\nb\n"),
        ("xargs -I{} echo '<{}>'", "a b\nc\n", "<a b>\n<c>\n"),
        ("xargs -0 -n1 echo", "a b\0c\0", "a b\nc\n"),
        ("xargs", "'a  b' c\\ d\n", "a  b c d\n"),
        ("xargs false; echo $?", "a\n", "123\n"),
        ("strings", "\u{1}abc\u{1}defgh\u{1}", "defgh\n"),
        ("split -l 1 - p; cat pab", "1\n2\n", "2\n"),
        ("sort | shuf | sort", "a\nb\n", "a\nb\n"),
    ])
    .await;
    try_all(&[
        ("printf '1\\n2\\n' > a; printf '2\\n3\\n' > b; comm a b; comm -12 a b; paste a b", "1\n\t\t2\n\t3\n2\n1\t2\n2\t3\n", "", 0),
        ("seq 3; seq 2 4; seq 1 2 5; seq -s, 3; seq -w 9 10; seq 3 -1 1", "1\n2\n3\n2\n3\n4\n1\n3\n5\n1,2,3\n09\n10\n3\n2\n1\n", "", 0),
        ("seq x", "", "seq: invalid number 'x'\n", 1),
        ("yes | head -2; yes a b | head -1", "y\ny\na b\n", "", 0),
        ("sort nosuch", "", "sort: can't open 'nosuch': No such file or directory\n", 1),
        ("cut -f1 -c1", "", "BusyBox v1.36.1 (2024-06-10 07:11:47 UTC) multi-call binary.\n\nUsage: cut {-b|c LIST | -f LIST [-d SEP] [-s]} [-D] [-O SEP] [FILE]...\n", 1),
        ("echo a | xargs nosuch; echo $?", "127\n", "xargs: nosuch: No such file or directory\n", 0),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn names_and_links() {
    try_all(&[
        ("basename /a/b.c .c; basename /a/; basename -a x/y z/w; dirname /a/b; dirname a", "b\na\ny\nw\n/a\n.\n", "", 0),
        ("echo 1 > a; ln a b; ln -s a c; readlink c; readlink -f c; realpath c; stat -c %h a", "a\n/a\n/a\n2\n", "", 0),
        ("ln -s x l; ln -s y l", "", "ln: l: File exists\n", 1),
        ("ln -s x l; ln -sf y l; readlink l; readlink nosuch; echo $?", "y\n1\n", "", 0),
        ("ln nosuch x", "", "ln: nosuch: No such file or directory\n", 1),
        ("realpath /nosuch/x", "", "realpath: /nosuch/x: No such file or directory\n", 1),
        ("touch a; chmod u+x,go= a; stat -c %A a; chmod 644 a; stat -c %a a", "-rwx------\n644\n", "", 0),
        ("chmod z a", "", "chmod: invalid mode 'z'\n", 1),
        ("chmod 600 nosuch", "", "chmod: nosuch: No such file or directory\n", 1),
        (
            "touch a; chown nobody:nobody a; stat -c '%U %G %u' a; chown nosuch a",
            "nobody nobody 65534\n",
            "chown: unknown user nosuch\n",
            1,
        ),
        ("mkdir -p d/e; touch d/e/f; chmod -R 700 d; find d -perm 700 | sort", "d\nd/e\nd/e/f\n", "", 0),
        (
            "id; id -u; id -un; whoami; id nobody; groups",
            "uid=0(root) gid=0(root) groups=0(root)\n0\nroot\nroot\nuid=65534(nobody) gid=65534(nobody) groups=65534(nobody)\nroot\n",
            "",
            0,
        ),
        ("id nosuch", "", "id: unknown user nosuch\n", 1),
        ("which ls nosuch; echo $?", "/bin/ls\n1\n", "", 0),
        (
            "f=$(mktemp); ls $f | wc -c; d=$(mktemp -d); test -d $d && echo yes; mktemp /tmp/x.XXX",
            "16\nyes\n",
            "mktemp: (null): Invalid argument\n",
            1,
        ),
        ("mkfifo p; ls -l p | cut -c1-10; (echo hi > p &) ; cat p", "prw-r--r--\nhi\n", "", 0),
        ("echo 12345 > a; truncate -s 2 a; cat a; truncate -s +2 a; wc -c < a", "124\n", "", 0),
        ("touch a; unlink a; unlink a", "", "unlink: can't remove file 'a': No such file or directory\n", 1),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn find() {
    let setup = "mkdir -p d/e; echo 123 > d/a.txt; touch d/e/b.log d/.h; ln -s a.txt d/l; ";
    let cases: Vec<(String, &str, &str, i32)> = [
        ("find d | sort", "d\nd/.h\nd/a.txt\nd/e\nd/e/b.log\nd/l\n", "", 0),
        ("find d -name '*.txt'", "d/a.txt\n", "", 0),
        ("find d -type d", "d\nd/e\n", "", 0),
        ("find d -type l", "d/l\n", "", 0),
        ("find d -maxdepth 1 -type f | sort", "d/.h\nd/a.txt\n", "", 0),
        ("find d -mindepth 2", "d/e/b.log\n", "", 0),
        ("find d -name a.txt -o -name b.log | sort", "d/a.txt\nd/e/b.log\n", "", 0),
        ("find d ! -type d -size +0 -type f", "d/a.txt\n", "", 0),
        ("find d -empty -type f | sort", "d/.h\nd/e/b.log\n", "", 0),
        ("find d -name '*.log' -delete; ls d/e", "", "", 0),
        ("find d -name a.txt -exec cat {} \\;", "123\n", "", 0),
        ("find d -type f -name '*.*' -exec echo {} +", "d/.h d/a.txt d/e/b.log\n", "", 0),
        ("find d -name e -prune -o -name '*.txt' -print", "d/a.txt\n", "", 0),
        ("find d -name a.txt -print0 | od -c | head -1", "0000000   d   /   a   .   t   x   t  \\0\n", "", 0),
        ("touch -d '2023-12-01 00:00' d/old; find d -mtime +5", "d/old\n", "", 0),
        ("find d -path '*e/b*'", "d/e/b.log\n", "", 0),
        ("find nosuch", "", "find: nosuch: No such file or directory\n", 1),
        ("find d -nonsense", "", "find: unrecognized: -nonsense\n", 1),
        ("find d \\( -name a.txt -o -name l \\) -a -type l", "d/l\n", "", 0),
        ("du -s d; du -a d/e", "12\td\n0\td/e/b.log\n4\td/e\n", "", 0),
    ]
    .into_iter()
    .map(|(script, out, err, code)| (format!("{setup}{script}"), out, err, code))
    .collect();
    let cases: Vec<_> = cases.iter().map(|(script, out, err, code)| (script.as_str(), *out, *err, *code)).collect();
    try_all(&cases).await;
}

#[tokio::test(start_paused = true)]
async fn bytes_and_sums() {
    try_with_input(&[
        ("md5sum", "", "d41d8cd98f00b204e9800998ecf8427e  -\n"),
        ("md5sum", "The quick brown fox jumps over the lazy dog", "9e107d9d372bb6826bd81d3542a419d6  -\n"),
        ("sha1sum", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d  -\n"),
        ("sha256sum", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  -\n"),
        ("base64", "hello", "aGVsbG8=\n"),
        ("base64 -d", "aGVsbG8=\n", "hello"),
        ("base64 -w 4", "hello", "aGVs\nbG8=\n"),
        ("hexdump -C", "hello\n", "00000000  68 65 6c 6c 6f 0a                                 |hello.|\n00000006\n"),
        ("hexdump", "abc", "0000000 6261 0063\n0000003\n"),
        ("od -c", "a\n", "0000000   a  \\n\n0000002\n"),
        ("od -An -tx1", "ab", " 61 62\n"),
        (
            "od -t x1",
            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            "0000000 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n*\n0000060\n",
        ),
        ("gzip | gunzip", "hello", "hello"),
        ("gzip | zcat | wc -c", "hello", "5\n"),
        ("dd bs=2 count=2 2>/dev/null", "123456", "1234"),
        ("dd bs=1 skip=2 2>/dev/null", "123456", "3456"),
    ])
    .await;
    try_all(&[
        (
            "echo a > f; md5sum f > s; md5sum -c s; echo b > f; md5sum -c s",
            "f: OK\nf: FAILED\n",
            "md5sum: WARNING: 1 of 1 computed checksums did NOT match\n",
            1,
        ),
        (
            "dd if=/dev/zero of=f bs=1k count=3 status=none; wc -c < f; dd if=nosuch",
            "3072\n",
            "dd: can't open 'nosuch': No such file or directory\n",
            1,
        ),
        ("dd if=/dev/zero of=/dev/null bs=1M count=2 2>&1 | head -2", "2+0 records in\n2+0 records out\n", "", 0),
        ("printf a > x; printf ab > y; cmp x y; cmp x x && echo same", "same\n", "cmp: EOF on x\n", 0),
        ("printf 'a\\nb\\n' > x; printf 'a\\nc\\n' > y; cmp x y", "x y differ: char 3, line 2\n", "", 1),
        ("printf 'a\\nb\\nc\\n' > x; printf 'a\\nB\\nc\\n' > y; diff x y", "--- x\n+++ y\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n", "", 1),
        ("echo a > x; cp x y; diff x y; echo $?; diff -q x /etc/group", "0\nFiles x and /etc/group differ\n", "", 1),
        ("echo a > x; diff x nosuch", "", "diff: can't stat 'nosuch': No such file or directory\n", 2),
        ("echo hi > f; gzip f; ls f*; gunzip f.gz; cat f; gunzip f", "f.gz\nhi\n", "gunzip: f: unknown suffix - ignored\n", 1),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn arithmetic_of_expr() {
    try_all(&[
        ("expr 1 + 2; expr 7 / 2; expr 7 % 2; expr 2 '*' '(' 3 + 4 ')'", "3\n3\n1\n14\n", "", 0),
        ("expr 2 '>' 1; expr a = b; echo $?", "1\n0\n1\n", "", 0),
        (
            "expr abc : 'a\\(.\\)'; expr abc : 'ab'; expr length hello; expr substr hello 2 3; expr index hello l",
            "b\n2\n5\nell\n3\n",
            "",
            0,
        ),
        ("expr 1 / 0", "", "expr: division by zero\n", 2),
        ("expr a + 1", "", "expr: non-numeric argument\n", 2),
        ("expr 1 +", "", "expr: syntax error\n", 2),
        ("expr 0; echo $?; expr '' '|' x", "0\n1\nx\n", "", 0),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_machine() {
    try_all(&[
        ("uname; uname -n -m; uname -sr", "Linux\nbox x86_64\nLinux 6.12.0-mini\n", "", 0),
        ("nproc; tty; sync; pwd", "1\nnot a tty\n/\n", "", 0),
        (
            "free | head -1; free -m | awk '/Mem/ {print $2}'",
            "              total        used        free      shared  buff/cache   available\n8192\n",
            "",
            0,
        ),
        ("df -h / | tail -1 | awk '{print $2, $6}'", "64.0M /\n", "", 0),
        (
            "df /nosuch",
            "Filesystem           1K-blocks      Used Available Use% Mounted on\n",
            "df: /nosuch: can't find mount point: No such file or directory\n",
            1,
        ),
        ("mount | head -1", "overlay on / type overlay (rw,relatime)\n", "", 0),
        ("umount /proc", "", "umount: can't unmount /proc: Operation not permitted\n", 1),
        (
            "timeout 1 sleep 5; echo $?; timeout 5 echo hi; timeout 1 nosuch; echo $?",
            "143\nhi\n127\n",
            "timeout: can't execute 'nosuch': No such file or directory\n",
            0,
        ),
        ("timeout -s KILL 1 sleep 5; echo $?", "137\n", "", 0),
        ("nohup echo hi; nice; nice -n 5 echo x", "hi\n0\nx\n", "", 0),
        ("time -p sleep 2", "", "real 2.00\nuser 0.00\nsys 0.00\n", 0),
        ("busybox echo a b; busybox --list | grep -c '^ls$'; busybox nosuch; echo $?", "a b\n1\n127\n", "nosuch: applet not found\n", 0),
        ("busybox busybox busybox echo deep", "deep\n", "", 0),
        (
            "top -b -n1 | head -1 | cut -c1-4; top -b -n 1 | sed -n 4p",
            "Mem:\n  PID  PPID USER     STAT   VSZ %VSZ CPU %CPU COMMAND\n",
            "",
            0,
        ),
        ("clear | od -An -c", " 033   [   H 033   [   J\n", "", 0),
        ("stty", "", "stty: standard input: Inappropriate ioctl for device\n", 1),
        ("more /etc/group | head -1", "root:x:0:\n", "", 0),
        ("uptime | cut -d, -f2-3", "  0 users,  load average: 0.00\n", "", 0),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_network() {
    try_on_network(&[
        (
            "ping -c 2 web",
            "PING web (10.254.1.2): 56 data bytes\n64 bytes from 10.254.1.2: seq=0 ttl=64 time=0.123 ms\n64 bytes from 10.254.1.2: seq=1 ttl=64 time=0.123 ms\n\n--- web ping statistics ---\n2 packets transmitted, 2 packets received, 0% packet loss\nround-trip min/avg/max = 0.123/0.123/0.123 ms\n",
            "",
            0,
        ),
        ("ping -c 1 192.168.1.1", "PING 192.168.1.1 (192.168.1.1): 56 data bytes\n\n--- 192.168.1.1 ping statistics ---\n1 packets transmitted, 0 packets received, 100% packet loss\n", "", 1),
        ("ping nosuch", "", "ping: bad address 'nosuch'\n", 1),
        ("nc -z web 80; echo $?", "1\n", "", 0),
        ("nc web 80", "", "nc: web (10.254.1.2:80): Connection refused\n", 1),
        ("nc -w 1 web 9999", "", "nc: timed out\n", 1),
        ("nc -l -p 81 > got & sleep 0.1; echo hi | nc 127.0.0.1 81; wait; cat got", "hi\n", "", 0),
        ("(nc -l -p 81 -e echo served) & sleep 0.1; nc 127.0.0.1 81 < /dev/null", "served\n", "", 0),
        ("nc -l -p 81 & sleep 0.1; nc -z -v 127.0.0.1 81; wait", "", "127.0.0.1 (127.0.0.1:81) open\n", 0),
        ("nc -l -p 81 & sleep 0.1; netstat -tln | tail -1 | awk '{print $1, $4, $6}'; kill $!", "tcp 0.0.0.0:81 LISTEN\n", "", 0),
        ("mkdir www; echo page > www/index.html; httpd -p 8080 -h www; sleep 0.1; wget -q -O - 127.0.0.1:8080; wget -q 127.0.0.1:8080/x", "page\n", "wget: server returned error: HTTP/1.1 404 Not Found\n", 1),
        ("ip a | grep inet; ip r", "    inet 127.0.0.1/8 scope host lo\n    inet 10.244.0.5/24 brd 10.244.0.255 scope global eth0\ndefault via 10.244.0.1 dev eth0 \n10.244.0.0/24 dev eth0 scope link  src 10.244.0.5 \n", "", 0),
        ("ifconfig eth0 | grep -o 'inet addr:[0-9.]*'", "inet addr:10.244.0.5\n", "", 0),
        ("hostname -i", "", "hostname: box: Host name lookup failure\n", 1),
    ])
    .await;
}
