//! mysql: it wants a password before it starts, greets whoever connects, and lets nobody in.

use std::net::SocketAddr;

use super::{
    Image, Reference, userland,
    web::{resident, until},
};
use crate::{
    Ctx, Signal,
    applets::hand::{Clock, Input},
    kernel::Program,
    net::Connection,
};

pub(super) const PROGRAMS: &[(&str, Program)] = &[("mysqld", |ctx| Box::pin(main(ctx)))];

const PORT: u16 = 3306;
const LATEST: &str = "8.0.36";

pub(super) fn image(of: &Reference) -> Option<Image> {
    if !of.is("mysql") {
        return None;
    }
    let files = [
        userland::program("/usr/sbin/mysqld", "mysqld"),
        userland::program("/bin/bash", "bash"),
        crate::files::Item::directory("/var/lib/mysql", 0o755),
    ];
    let image = Image::new(userland::with(&userland::base(), files), &[], &["mysqld"]);
    Some(image.with_env(&[("MYSQL_VERSION", of.version(LATEST))]).exposing(&[PORT, 33060]).sized(166 << 20))
}

async fn main(ctx: Ctx) -> i32 {
    let version = match ctx.var("MYSQL_VERSION").unwrap_or(LATEST) {
        short @ ("8" | "8.0") => format!("{short}.36").replacen("8.36", "8.0.36", 1),
        version => version.to_owned(),
    };
    let stamp = Clock::of(&ctx).format(ctx.now(), "%Y-%m-%d %H:%M:%S%:z");
    let old = version.starts_with("5.");
    if !old {
        let _ = ctx.out(format!("{stamp} [Note] [Entrypoint]: Entrypoint script for MySQL Server {version}-1.el9 started.\n")).await;
    }
    let wanted = ["MYSQL_ROOT_PASSWORD", "MYSQL_ALLOW_EMPTY_PASSWORD", "MYSQL_RANDOM_ROOT_PASSWORD"];
    let given = |name: &&str| ctx.var(name).is_some_and(|value| !value.is_empty()) || ctx.var(&format!("{name}_FILE")).is_some();
    if !wanted.iter().any(given) {
        let list: String = wanted.map(|name| format!("    - {name}\n")).concat();
        let text = if old {
            "error: database is uninitialized and password option is not specified \n  You need to specify one of MYSQL_ROOT_PASSWORD, MYSQL_ALLOW_EMPTY_PASSWORD and MYSQL_RANDOM_ROOT_PASSWORD\n".to_owned()
        } else {
            format!(
                "{stamp} [ERROR] [Entrypoint]: Database is uninitialized and password option is not specified\n    You need to specify one of the following as an environment variable:\n{list}"
            )
        };
        ctx.err(text).await;
        return 1;
    }
    let greeting = version.clone();
    let listening =
        ctx.serve(SocketAddr::from(([0, 0, 0, 0], PORT)), move |ctx, connection| Box::pin(greet(ctx, connection, greeting.clone())));
    let time = Clock::utc().format(ctx.now(), "%Y-%m-%dT%H:%M:%S.000000Z");
    if let Err(errno) = listening {
        ctx.err(format!("{time} 0 [ERROR] [MY-010262] [Server] Can't start server: Bind on TCP/IP port: {errno}\n")).await;
        return 1;
    }
    ctx.err(format!(
        "{time} 0 [System] [MY-010116] [Server] /usr/sbin/mysqld (mysqld {version}) starting as process {}\n{time} 0 [System] [MY-010931] [Server] /usr/sbin/mysqld: ready for connections. Version: '{version}'  socket: '/var/run/mysqld/mysqld.sock'  port: {PORT}  MySQL Community Server - GPL.\n",
        ctx.pid()
    ))
    .await;
    match ctx.reside(resident("mysqld", 350 << 20, until(&[Signal::TERM, Signal::INT, Signal::QUIT], 0))).await {}
}

/// A packet: its length, its number, what is in it.
fn packet(number: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_le_bytes();
    [&length[..3], &[number], body].concat()
}

/// Says which server it is; of who answers it says that it is denied.
async fn greet(ctx: Ctx, connection: Connection, version: String) {
    let peer = connection.peer.ip().to_string();
    let Ok(fd) = ctx.add_connection(connection) else { return };
    let mut input = Input::own(&ctx, fd);
    let salt: Vec<u8> = (0..20).map(|_| (ctx.random() % 94) as u8 + 33).collect();
    let mut hello = vec![10];
    hello.extend(version.bytes());
    hello.push(0);
    hello.extend((ctx.random() as u32 & 0xffff).to_le_bytes());
    hello.extend(&salt[..8]);
    hello.extend([0, 0xff, 0xff, 255, 2, 0, 0xff, 0xdf, 21, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    hello.extend(&salt[8..]);
    hello.push(0);
    hello.extend(b"caching_sha2_password\0");
    if ctx.write_all(fd, &packet(0, &hello)).await.is_err() {
        return;
    }
    let Ok(head) = input.exactly(4).await else { return };
    if head.len() < 4 {
        return;
    }
    let length = usize::from(head[0]) | usize::from(head[1]) << 8;
    let Ok(body) = input.exactly(length).await else { return };
    let user = body
        .get(32..)
        .map(|rest| rest.split(|byte| *byte == 0).next().unwrap_or_default())
        .map(|user| String::from_utf8_lossy(user).into_owned())
        .unwrap_or_default();
    let text = format!("Access denied for user '{user}'@'{peer}' (using password: YES)");
    let denied = [&[0xff, 0x15, 0x04][..], b"#28000", text.as_bytes()].concat();
    let _ = ctx.write_all(fd, &packet(head[3].wrapping_add(1), &denied)).await;
}
