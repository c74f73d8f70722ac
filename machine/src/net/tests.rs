//! Listening, connecting and asking, tried.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Answer, Connection, Failure, Network, Record};
use crate::{
    Ctx, Errno, Signal,
    files::{Item, Open},
    kernel::{Limits, Program, React, Resident},
    testing::{Job, World, command},
};

/// A network with one server that knows one name.
struct Known;

#[async_trait]
impl Network for Known {
    fn addresses(&self) -> Vec<IpAddr> {
        vec!["10.0.0.9".parse().unwrap()]
    }

    async fn resolve(&self, server: SocketAddr, name: &str, record: Record) -> Result<Vec<Answer>, Failure> {
        match (server.to_string().as_str(), name, record) {
            ("10.0.0.10:53", "web.default.svc.cluster.local", Record::A) => Ok(vec![Answer::Address("10.0.0.1".parse().unwrap())]),
            ("10.0.0.10:53", "six.default.svc.cluster.local", Record::A) => Ok(Vec::new()),
            ("10.0.0.10:53", "six.default.svc.cluster.local", Record::Aaaa) => Ok(vec![Answer::Address("fd00::1".parse().unwrap())]),
            ("10.0.0.10:53", name, _) if name.starts_with("bad.") => Err(Failure::Server),
            ("10.0.0.10:53", ..) => Err(Failure::NoName),
            _ => Err(Failure::Timeout),
        }
    }

    async fn connect(&self, to: SocketAddr) -> Result<Connection, Errno> {
        if to.to_string() != "10.0.0.1:80" {
            return Err(Errno::ECONNREFUSED);
        }
        let (ours, mut theirs) = tokio::io::duplex(100);
        theirs.write_all(b"welcome").await?;
        Ok(Connection { stream: Box::new(ours), peer: to, local: "10.0.0.9:40000".parse().unwrap() })
    }

    async fn ping(&self, _: IpAddr) -> Result<Option<Duration>, Errno> {
        Ok(None)
    }
}

const ASKS: Program = |ctx: Ctx| {
    Box::pin(async move {
        for name in &ctx.args()[1..] {
            let line = match ctx.resolve(name).await {
                Ok(found) => format!("{} {:?} {:?}\n", found.name, found.addresses, found.server),
                Err(failure) => format!("{name}: {failure}\n"),
            };
            ctx.out(line).await.unwrap();
        }
        0
    })
};

#[tokio::test(start_paused = true)]
async fn names_are_found_as_the_files_say() {
    let world = World::with_network(&[("asks", ASKS)], Arc::new(Known));
    let container = world.container(Limits::default());
    let conf = "nameserver 10.0.0.99\nnameserver 10.0.0.10\nsearch default.svc.cluster.local cluster.local\noptions ndots:5\n";
    container.files().put([Item::file("/etc/resolv.conf", 0o644, conf), Item::file("/etc/hosts", 0o644, "1.2.3.4 here\n")]).unwrap();
    let job = Job::of(command(&["asks", "web", "here", "9.8.7.6", "six", "nobody", "bad"]), "");
    container.start(job.command).unwrap().wait().await;
    assert_eq!(
        job.seen.out.text(),
        "web.default.svc.cluster.local [10.0.0.1] Some(10.0.0.10:53)\nhere [1.2.3.4] None\n9.8.7.6 [9.8.7.6] None\n\
         six.default.svc.cluster.local [fd00::1] Some(10.0.0.10:53)\nnobody: NXDOMAIN\nbad: SERVFAIL\n"
    );
}

#[tokio::test(start_paused = true)]
async fn connections_are_descriptors() {
    let program: Program = |ctx: Ctx| {
        Box::pin(async move {
            let fd = ctx.connect("10.0.0.1:80".parse().unwrap()).await.unwrap();
            assert_eq!(ctx.read_all(fd).await.unwrap(), b"welcome");
            assert_eq!(ctx.connect("10.0.0.2:80".parse().unwrap()).await, Err(Errno::ECONNREFUSED));
            assert_eq!(ctx.connect("127.0.0.1:80".parse().unwrap()).await, Err(Errno::ECONNREFUSED));
            let listener = ctx.listen("0.0.0.0:80".parse().unwrap()).unwrap();
            assert_eq!(ctx.listen("127.0.0.1:80".parse().unwrap()), Err(Errno::EADDRINUSE));
            assert_eq!(ctx.listen("8.8.8.8:81".parse().unwrap()), Err(Errno::EADDRNOTAVAIL));
            let near = ctx.connect("127.0.0.1:80".parse().unwrap()).await.unwrap();
            let (far, peer) = ctx.accept(listener).await.unwrap();
            assert!(peer.ip().is_loopback());
            ctx.write_all(near, b"question").await.unwrap();
            ctx.shutdown(near).await.unwrap();
            assert_eq!(ctx.read_all(far).await.unwrap(), b"question");
            ctx.write_all(far, b"answer").await.unwrap();
            ctx.close(far).unwrap();
            assert_eq!(ctx.read_all(near).await.unwrap(), b"answer");
            ctx.close(listener).unwrap();
            assert_eq!(ctx.connect("127.0.0.1:80".parse().unwrap()).await, Err(Errno::ECONNREFUSED), "closed");
            0
        })
    };
    assert_eq!(World::with_network(&[("prog", program)], Arc::new(Known)).run(&["prog"]).await.code, 0);
}

#[tokio::test(start_paused = true)]
async fn a_resident_serves_who_comes_from_outside() {
    let server: Program = |ctx: Ctx| {
        Box::pin(async move {
            let service = |ctx: Ctx, connection: Connection| -> futures::future::BoxFuture<'static, ()> {
                Box::pin(async move {
                    let fd = ctx.open("/www", Open::READ).await.unwrap();
                    let page = ctx.read_all(fd).await.unwrap();
                    ctx.close(fd).unwrap();
                    ctx.out(format!("GET from {}\n", connection.peer)).await.unwrap();
                    Box::into_pin(connection.stream).write_all(&page).await.unwrap();
                })
            };
            ctx.serve("0.0.0.0:80".parse().unwrap(), service).unwrap();
            ctx.serve("127.0.0.1:81".parse().unwrap(), service).unwrap();
            let reacts = |signal| if signal == Signal::TERM { React::Exit(0) } else { React::Default };
            match ctx
                .reside(Resident { args: vec!["server".into()], uid: None, memory: 0, reacts: Arc::new(reacts), children: Vec::new() })
                .await {}
        })
    };
    let world = World::new(&[("server", server)]);
    let container = world.container(Limits::default());
    container.files().put([Item::file("/www", 0o644, "page one")]).unwrap();
    let job = Job::of(command(&["server"]), "");
    let running = container.start(job.command).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let visit = async |port| -> Result<String, Errno> {
        let (mut ours, theirs) = tokio::io::duplex(100);
        let (peer, local) = ("10.0.0.5:4000".parse().unwrap(), "10.0.0.9:80".parse().unwrap());
        world.sandbox.accept(port, Connection { stream: Box::new(theirs), peer, local })?;
        let mut page = String::new();
        ours.read_to_string(&mut page).await.unwrap();
        Ok(page)
    };
    assert_eq!(visit(80).await.as_deref(), Ok("page one"));
    container.files().put([Item::file("/www", 0o644, "page two")]).unwrap();
    assert_eq!(visit(80).await.as_deref(), Ok("page two"));
    assert_eq!(job.seen.out.text(), "GET from 10.0.0.5:4000\nGET from 10.0.0.5:4000\n");
    assert_eq!(visit(81).await, Err(Errno::ECONNREFUSED), "that is for loopback only");
    assert_eq!((world.sandbox.listens(80), world.sandbox.listens(81), world.sandbox.listens(82)), (true, false, false));
    running.signal(Signal::TERM);
    assert_eq!(running.wait().await.status.code(), 0);
    assert_eq!(visit(80).await, Err(Errno::ECONNREFUSED));
}
