//! Programs about text.

use super::{try_all, try_with_input};

#[tokio::test(start_paused = true)]
async fn grep() {
    try_with_input(&[
        ("grep b", "abc\nxyz\n", "abc\n"),
        ("grep -n -i B", "abc\nB\n", "1:abc\n2:B\n"),
        ("grep -v b", "abc\nxyz\n", "xyz\n"),
        ("grep -c b", "abc\nb\n", "2\n"),
        ("grep -o '[0-9]*'", "a12b3\nx\n", "12\n3\n"),
        ("grep -E 'a|c{2}'", "a\ncc\nc\n", "a\ncc\n"),
        ("grep 'a\\|x'", "a\nx\ny\n", "a\nx\n"),
        ("grep -F a.c", "abc\na.c\n", "a.c\n"),
        ("grep -w cat", "concat\na cat\n", "a cat\n"),
        ("grep -x cat", "cat\na cat\n", "cat\n"),
        ("grep -A1 -n 2", "1\n2\n3\n4\n", "2:2\n3-3\n"),
        ("grep -B1 -A0 '[24]'", "1\n2\n3\n4\n", "1\n2\n3\n4\n"),
        ("grep -C1 '[16]'", "1\n2\n3\n4\n5\n6\n7\n", "1\n2\n--\n5\n6\n7\n"),
        ("grep -m1 a", "a\na\n", "a\n"),
        ("grep -e a -e b", "a\nb\nc\n", "a\nb\n"),
        ("grep -q a; echo $?", "a\n", "0\n"),
        ("grep -q a; echo $?", "b\n", "1\n"),
        ("grep '^$'; echo $?", "b\n", "1\n"),
        ("grep -H a", "a\n", "(standard input):a\n"),
    ])
    .await;
    try_all(&[
        ("grep a nosuch; echo $?", "2\n", "grep: nosuch: No such file or directory\n", 0),
        ("grep -s a nosuch; echo $?", "2\n", "", 0),
        ("echo a > 1; echo ba > 2; grep a 1 2; grep -l b 1 2; grep -L b 1 2", "1:a\n2:ba\n2\n1\n", "", 0),
        ("mkdir -p d/e; echo a > d/e/f; grep -r a d", "d/e/f:a\n", "", 0),
        ("grep '[' /dev/null; echo $?", "2\n", "grep: bad regex '[': Unmatched [, [^, [:, [., or [=\n", 0),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn beginnings_and_ends() {
    try_with_input(&[
        ("head -n 2", "1\n2\n3\n", "1\n2\n"),
        ("head -2", "1\n2\n3\n", "1\n2\n"),
        ("head -n -1", "1\n2\n3\n", "1\n2\n"),
        ("head -c 3", "12345", "123"),
        ("tail -n 1", "1\n2\n3\n", "3\n"),
        ("tail -1", "1\n2\n3", "3"),
        ("tail -n +2", "1\n2\n3\n", "2\n3\n"),
        ("tail -c 3", "12345", "345"),
        ("tail -c +3", "12345", "345"),
        ("wc", "one two\nthree\n", "        2         3        14\n"),
        ("wc -l", "one two\nthree", "1\n"),
        ("wc -c -w", "one two\n", "        2         8\n"),
        ("wc -m", "é\n", "2\n"),
        ("wc -L", "abc\nd\n", "3\n"),
    ])
    .await;
    try_all(&[
        ("echo 1 > a; echo 2 > b; head a b nosuch", "==> a <==\n1\n\n==> b <==\n2\n", "head: nosuch: No such file or directory\n", 1),
        ("head -n x a", "", "head: invalid number 'x'\n", 1),
        ("tail nosuch", "", "tail: can't open 'nosuch': No such file or directory\ntail: no files\n", 1),
        ("echo 1 > a; wc -l a nosuch a", "        1 a\n        1 a\n        2 total\n", "wc: nosuch: No such file or directory\n", 1),
        ("seq 100 | head -n 1", "1\n", "", 0),
        (
            "(echo 1; sleep 1; echo 2; sleep 3; echo 3) > f & tail -f f & sleep 2.5; kill $!; wait $! 2> /dev/null; echo end",
            "1\n2\nend\n",
            "",
            0,
        ),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn sed() {
    try_with_input(&[
        ("sed s/a/b/", "aa\nca\n", "ba\ncb\n"),
        ("sed s/a/b/g", "aa\n", "bb\n"),
        ("sed 's/a/b/2'", "aaa\n", "aba\n"),
        ("sed -n 's/a/b/p'", "a\nc\n", "b\n"),
        ("sed 's/A/b/I'", "a\n", "b\n"),
        ("sed 's|/a|/b|'", "/a\n", "/b\n"),
        ("sed 's/\\(a\\)\\(b\\)/\\2\\1/'", "ab\n", "ba\n"),
        ("sed -E 's/(a+)(b?)/[\\1\\2]/'", "aab\n", "[aab]\n"),
        ("sed 's/b/[&]/'", "abc\n", "a[b]c\n"),
        ("sed 's/x*/-/g'", "abc\n", "-a-b-c-\n"),
        ("sed 2d", "1\n2\n3\n", "1\n3\n"),
        ("sed -n 2p", "1\n2\n3\n", "2\n"),
        ("sed '$d'", "1\n2\n3\n", "1\n2\n"),
        ("sed -n '2,3p'", "1\n2\n3\n4\n", "2\n3\n"),
        ("sed -n '/b/,/d/p'", "a\nb\nc\nd\ne\n", "b\nc\nd\n"),
        ("sed '/b/!d'", "a\nb\n", "b\n"),
        ("sed -n '2,+1p'", "1\n2\n3\n4\n", "2\n3\n"),
        ("sed -n '1~2p'", "1\n2\n3\n", "1\n3\n"),
        ("sed 2q", "1\n2\n3\n", "1\n2\n"),
        ("sed '1a x'", "1\n2\n", "1\nx\n2\n"),
        ("sed '1i x'", "1\n2\n", "x\n1\n2\n"),
        ("sed '1c x'", "1\n2\n", "x\n2\n"),
        ("sed '2,3c x'", "1\n2\n3\n4\n", "1\nx\n4\n"),
        ("sed y/abc/xyz/", "aabbcc\n", "xxyyzz\n"),
        ("sed =", "a\nb\n", "1\na\n2\nb\n"),
        ("sed -n '$='", "a\nb\n", "2\n"),
        ("sed N\\;s/\\\\n/+/", "1\n2\n3\n", "1+2\n3\n"),
        ("sed ':a;N;$!ba;s/\\n/,/g'", "1\n2\n3\n", "1,2,3\n"),
        ("sed -n '1!G;h;$p'", "1\n2\n3\n", "3\n2\n1\n"),
        ("sed -e 's/a/b/' -e 's/b/c/'", "a\n", "c\n"),
        ("sed '/x/{s/x/y/;p;}'", "x\n", "y\ny\n"),
        ("sed 's/a/b/;ta;s/$/!/;:a'", "a\nc\n", "b\nc!\n"),
        ("sed 's/[/]/_/g'", "a/b\n", "a_b\n"),
        ("sed 's/\\(.*\\)/\\U\\1/'", "abc\n", "ABC\n"),
        ("sed p", "no end", "no end\nno end"),
    ])
    .await;
    try_all(&[
        ("echo a > f; sed -i s/a/b/ f; cat f", "b\n", "", 0),
        ("echo a > f; sed -i.bak s/a/b/ f; cat f f.bak", "b\na\n", "", 0),
        ("sed s/a/b/ nosuch", "", "sed: nosuch: No such file or directory\n", 1),
        ("sed 's/a/b'", "", "sed: unmatched '/'\n", 1),
        ("sed 'k'", "", "sed: unsupported command k\n", 1),
        ("echo 'k: 1' > f; echo 'k: 2' >> f; sed -n 's/^k: //p' f | tail -1", "2\n", "", 0),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn awk() {
    try_with_input(&[
        ("awk '{print $1}'", "a b\nc d\n", "a\nc\n"),
        ("awk '{print $2, $1}'", "a b\n", "b a\n"),
        ("awk -F: '{print $1 \"-\" $3}'", "a:b:c\n", "a-c\n"),
        ("awk 'NR==2'", "1\n2\n3\n", "2\n"),
        ("awk '/b/ {print NR\": \"$0}'", "a\nb\n", "2: b\n"),
        ("awk '{s+=$1} END {print s, s/NR}'", "1\n2\n4\n", "7 2.33333\n"),
        ("awk '{print NF, $NF}'", "a b c\n", "3 c\n"),
        ("awk 'BEGIN {for (i=0;i<3;i++) printf \"%d,\", i; print \"\"}'", "", "0,1,2,\n"),
        ("awk '{c[$1]++} END {for (k in c) print k, c[k]}'", "b\na\nb\n", "b 2\na 1\n"),
        ("awk '$1 > 2 && $2 != \"x\"'", "3 x\n4 y\n10 z\n", "4 y\n10 z\n"),
        ("awk '{$2=\"X\"; print}'", "a b c\n", "a X c\n"),
        ("awk -v OFS=- '{$1=$1} 1'", "a b  c\n", "a-b-c\n"),
        ("awk '{gsub(/a/, \"<&>\"); print}'", "banana\n", "b<a>n<a>n<a>\n"),
        ("awk '{n=split($0, p, \",\"); print n, p[2]}'", "x,y,z\n", "3 y\n"),
        ("awk '{print length($0), substr($0,2,3), index($0,\"c\"), toupper($0)}'", "abcde\n", "5 bcd 3 ABCDE\n"),
        ("awk 'function f(n) {return n<2?1:n*f(n-1)} BEGIN {print f(10)}'", "", "3628800\n"),
        ("awk 'BEGIN {while (i<3) {i++; if (i==2) continue; print i}}'", "", "1\n3\n"),
        ("awk '/s/,/e/'", "a\ns\nb\ne\nc\n", "s\nb\ne\n"),
        ("awk 'BEGIN {printf \"%5.2f|%-5s|%05d|%x\\n\", 3.14159, \"ab\", 42, 255}'", "", " 3.14|ab   |00042|ff\n"),
        ("awk '{print > \"out\"} END {close(\"out\"); while ((getline l < \"out\") > 0) print \"got\", l}'", "1\n2\n", "got 1\ngot 2\n"),
        ("awk '{print | \"sort -r\"}'", "1\n3\n2\n", "3\n2\n1\n"),
        ("awk 'BEGIN {\"echo hi\" | getline x; print x}'", "", "hi\n"),
        (
            "awk 'BEGIN {if (!(\"a\" in t)) print \"no\"; t[\"a\"]; if (\"a\" in t) print \"yes\"; delete t[\"a\"]; print length(t)}'",
            "",
            "no\nyes\n0\n",
        ),
        ("awk 'BEGIN {print match(\"foobar\", /o+/), RSTART, RLENGTH}'", "", "2 2 2\n"),
        ("awk 'END {print NR}'", "a\nb\nc\n", "3\n"),
        ("awk 'BEGIN {x[1,2]=3; for (k in x) {split(k, p, SUBSEP); print p[1], p[2]}}'", "", "1 2\n"),
        ("awk 'NR%2 {print; next} {print \"-\"}'", "1\n2\n3\n", "1\n-\n3\n"),
        ("awk 'BEGIN{print 1==1.0, \"a\"<\"b\", 2^10, 7%3, -3 \" \" -1}'", "", "1 1 1024 1 -3-1\n"),
        ("awk 'BEGIN { exit 3 } END { print \"end\" }'; echo $?", "", "end\n3\n"),
        ("awk '$1 ~ /^a/ {print $2} $1 !~ /^a/ {print \"no\"}'", "ab 1\ncd 2\n", "1\nno\n"),
        ("awk 'BEGIN { do { n++ } while (n < 5); print n }'", "", "5\n"),
        ("awk 'BEGIN { print substr(\"hello\", 2) ; print sprintf(\"%c%c\", 72, \"yes\") }'", "", "ello\nHy\n"),
        ("awk '{ print $1 / 0 }' 2> /dev/null; echo $?", "1\n", "1\n"),
        ("free | awk '/Mem/ {print $2}'", "", "8388608\n"),
    ])
    .await;
    try_all(&[
        ("awk 'BEGIN {print 1' ", "", "awk: cmd. line:1: Unexpected end of string\n", 1),
        ("awk '{print}' nosuch", "", "awk: nosuch: No such file or directory\n", 2),
        ("awk 'BEGIN {f()}'", "", "awk: cmd. line:1: Call to undefined function\n", 1),
    ])
    .await;
}
