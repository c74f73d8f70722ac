//! The programs of busybox, one file each.
//!
//! Adding one is its file and one word in the list below. A program knows its [`Ctx`](crate::Ctx) and what it has at [`hand`], and nothing
//! of other programs.

pub(crate) mod hand;
#[cfg(test)]
mod tests;

use crate::kernel::Program;

/// Declares the module of each applet and the list of them: one word does both. Where the name is no word of Rust, or there are several, they follow.
macro_rules! applets {
    ($($module:ident $(= $name:literal $(| $other:literal)*)?),+ $(,)?) => {
        $(pub(crate) mod $module;)+

        /// Every applet, by the name it is called by.
        pub const APPLETS: &[&[(&str, Program)]] = &[$(applets!(@names $module $($name $($other)*)?)),+];
    };
    (@names $module:ident) => { &[(stringify!($module), |ctx| Box::pin(hand::end(ctx.clone(), $module::main(ctx))))] };
    (@names $module:ident $($name:literal)+) => { &[$(($name, |ctx| Box::pin(hand::end(ctx.clone(), $module::main(ctx))))),+] };
}

applets! {
    awk,
    base64,
    basename,
    busybox,
    cat,
    checksum = "md5sum" | "sha1sum" | "sha256sum" | "sha384sum" | "sha512sum",
    chmod,
    chown = "chown" | "chgrp",
    clear = "clear" | "reset",
    cmp,
    comm,
    cp,
    cut,
    date,
    dd,
    df,
    diff,
    dirname,
    du,
    echo,
    env,
    expr,
    false_ = "false",
    find,
    fold,
    free,
    grep = "grep" | "egrep" | "fgrep",
    gzip = "gzip" | "gunzip" | "zcat",
    head,
    hexdump = "hexdump" | "hd" | "od",
    hostname,
    httpd,
    id = "id" | "whoami" | "groups",
    ifconfig = "ifconfig" | "ip" | "route",
    kill,
    killall,
    ln,
    ls,
    mkdir,
    mkfifo,
    mktemp,
    more = "more" | "less",
    mount = "mount" | "umount",
    mv,
    nc,
    netstat = "netstat" | "ss",
    nl,
    nohup = "nohup" | "setsid" | "nice",
    nproc,
    nslookup,
    paste,
    pgrep = "pgrep" | "pkill",
    pidof,
    ping = "ping" | "ping6",
    printenv,
    printf,
    ps,
    pwd,
    readlink,
    realpath,
    rev,
    rm,
    rmdir,
    sed,
    seq,
    shuf,
    sleep,
    sort,
    split,
    stat,
    strings,
    stty,
    sync,
    tac,
    tail,
    tar,
    tee,
    telnet,
    test = "test" | "[" | "[[",
    time,
    timeout,
    top,
    touch,
    tr,
    true_ = "true",
    truncate,
    tty,
    uname = "uname" | "arch",
    uniq,
    unlink = "unlink" | "link",
    uptime,
    usleep,
    watch,
    wc,
    wget,
    which,
    xargs,
    yes,
}
