//! What processes do, tried: signals, pipes, waiting, terminals, budgets.

use std::{future::pending, time::Duration};

use tokio::time::Instant;

use super::{Command, Container, Disposition, Exit, Group, Limits, Program, React, Resident, Seek, Spawn, StartError, Status, Waiting};
use crate::{
    Ctx, Errno, Signal,
    files::{Credentials, Item, Open},
    testing::{Job, Outcome, Person, World, command},
};

/// A world with one program, and what it wrote.
async fn outcome(program: Program) -> Outcome {
    World::new(&[("prog", program)]).run(&["prog"]).await
}

macro_rules! program {
    (|$ctx:ident| $body:block) => {
        (|$ctx: Ctx| Box::pin(async move $body)) as Program
    };
}

fn killed(signal: Signal) -> Exit {
    Exit { status: Status::Killed(signal), out_of_memory: false }
}

const FOREVER: Duration = Duration::from_secs(1_000_000);

#[tokio::test(start_paused = true)]
async fn a_program_runs_and_ends() {
    let program = program!(|ctx| {
        let said = format!("{:?} {} {} {}\n", ctx.args(), ctx.pid(), ctx.ppid(), ctx.var("HOME").unwrap());
        ctx.out(said).await.unwrap();
        ctx.err("oops\n").await;
        300
    });
    let got = outcome(program).await;
    assert_eq!((got.out.as_str(), got.err.as_str(), got.code), ("[\"prog\"] 1 0 /root\n", "oops\n", 44));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_started() {
    let world = World::new(&[]);
    let container = world.container(Limits::default());
    container
        .files()
        .put([
            Item::file("/bin/plain", 0o755, "hello"),
            Item::file("/bin/locked", 0o644, "hello"),
            Item::file("/bin/script", 0o755, "#!/bin/nosuch -x\n"),
            Item::file("/bin/gone", 0o755, super::executable("gone")),
        ])
        .unwrap();
    let file = |path: &str, errno| StartError::File { path: path.into(), errno };
    for (args, expected) in [
        (&["nosuch"] as &[&str], StartError::NotInPath("nosuch".into())),
        (&["/bin/nosuch"], file("/bin/nosuch", Errno::ENOENT)),
        (&["/bin"], file("/bin", Errno::EISDIR)),
        (&["locked"], StartError::NotInPath("locked".into())),
        (&["/bin/locked"], file("/bin/locked", Errno::EACCES)),
        (&["plain"], file("/bin/plain", Errno::ENOEXEC)),
        (&["script"], file("/bin/script", Errno::ENOENT)),
        (&["gone"], file("/bin/gone", Errno::ENOEXEC)),
        (&[], StartError::NoCommand),
    ] {
        assert_eq!(container.start(command(args)).err(), Some(expected), "{args:?}");
    }
    let elsewhere = Command { cwd: "/nowhere".into(), ..command(&["true"]) };
    assert_eq!(container.start(elsewhere).err(), Some(StartError::Cwd { path: "/nowhere".into(), errno: Errno::ENOENT }));
    assert_eq!(container.exec(command(&["true"])).err(), Some(StartError::State));
    let running = container.start(command(&["true"])).unwrap();
    assert_eq!(container.start(command(&["true"])).err(), Some(StartError::State));
    assert_eq!(running.wait().await.status, Status::Exited(0));
    assert_eq!(container.exec(command(&["true"])).err(), Some(StartError::State), "it has ended");
}

#[tokio::test(start_paused = true)]
async fn scripts_name_their_interpreters() {
    let world = World::new(&[]);
    let container = world.container(Limits::default());
    container.files().put([Item::file("/bin/script", 0o755, "#!/bin/echo from a\n")]).unwrap();
    let job = Job::of(command(&["script", "x", "y"]), "");
    let running = container.start(job.command).unwrap();
    assert_eq!(job.seen.outcome(running.wait().await).out, "from a /bin/script x y\n");
}

#[tokio::test(start_paused = true)]
async fn children_are_forked_waited_for_and_inherited() {
    let program = program!(|ctx| {
        let child = ctx
            .fork(Group::Same, |child| async move {
                let orphan = child.fork(Group::Same, |orphan| async move {
                    orphan.sleep(Duration::from_secs(5)).await.unwrap();
                    9
                });
                child.out(format!("child {} of {}, orphan {}\n", child.pid(), child.ppid(), orphan.unwrap())).await.unwrap();
                7
            })
            .unwrap();
        assert_eq!(ctx.try_wait(Waiting::Any), Ok(None));
        assert_eq!(ctx.try_wait(Waiting::Pid(99)), Err(Errno::ECHILD));
        let first = ctx.wait(Waiting::Any).await;
        let second = ctx.wait(Waiting::Any).await;
        let third = ctx.wait(Waiting::Any).await;
        ctx.out(format!("{child} {first:?} {second:?} {third:?}\n")).await.unwrap();
        0
    });
    let got = outcome(program).await;
    assert_eq!(got.out, "child 2 of 1, orphan 3\n2 Ok((2, Exited(7))) Ok((3, Exited(9))) Err(ECHILD)\n");
}

#[tokio::test(start_paused = true)]
async fn exec_and_spawn() {
    let program = program!(|ctx| {
        let (read, write) = ctx.pipe().unwrap();
        ctx.set_close_on_exec(read, true).unwrap();
        let spawn =
            Spawn { file: "echo".into(), args: vec!["echo".into(), "hi".into()], descriptors: vec![(1, write)], ..Spawn::default() };
        let pid = ctx.spawn(spawn).unwrap();
        ctx.close(write).unwrap();
        assert_eq!(ctx.wait(Waiting::Pid(pid)).await, Ok((pid, Status::Exited(0))));
        assert_eq!(ctx.read_all(read).await.unwrap(), b"hi\n");
        let missing = Spawn { file: "nosuch".into(), args: vec!["nosuch".into()], ..Spawn::default() };
        assert_eq!(ctx.spawn(missing), Err(Errno::ENOENT));
        let child = ctx.fork(Group::Same, |child| async move {
            let errno = child.exec("/nosuch", vec!["x".into()], Vec::new()).await;
            assert_eq!(errno, Errno::ENOENT);
            child.exec("/bin/echo", vec!["echo".into(), "replaced".into()], Vec::new()).await;
            unreachable!("it is another program now")
        });
        assert_eq!(ctx.wait(Waiting::Pid(child.unwrap())).await.unwrap().1, Status::Exited(0));
        0
    });
    let got = outcome(program).await;
    assert_eq!((got.out.as_str(), got.code), ("replaced\n", 0));
}

#[tokio::test(start_paused = true)]
async fn arguments_are_bounded_and_accounted() {
    let program = program!(|ctx| {
        let echo = |args: Vec<String>| Spawn { file: "echo".into(), args: [vec!["echo".into()], args].concat(), ..Spawn::default() };
        assert_eq!(ctx.spawn(echo(vec!["x".repeat(128 << 10)])), Err(Errno::E2BIG));
        assert_eq!(ctx.spawn(echo(vec!["x".repeat(100 << 10); 21])), Err(Errno::E2BIG));
        let pid = ctx.spawn(echo(vec!["x".repeat(100 << 10); 20])).unwrap();
        ctx.wait(Waiting::Pid(pid)).await.unwrap().1.code()
    });
    let world = World::new(&[("prog", program)]);
    assert_eq!(world.run_with(&["prog"], "", Limits { heap: 3 << 20, ..Limits::default() }).await.code, 0);
    assert_eq!(world.run_with(&["prog"], "", Limits { heap: 1 << 20, ..Limits::default() }).await.code, 137);
}

#[tokio::test(start_paused = true)]
async fn descriptors_are_shared_copied_and_bounded() {
    let program = program!(|ctx| {
        let fd = ctx.open("/tmp/f", Open { read: true, ..Open::WRITE }).await.unwrap();
        assert_eq!(fd, 3);
        let other = ctx.dup(fd, 10).unwrap();
        assert_eq!(other, 10);
        ctx.write_all(fd, b"one\ntwo\n").await.unwrap();
        assert_eq!(ctx.seek(other, Seek::Start(0)), Ok(0));
        assert_eq!(ctx.read_line(fd, 100).await.unwrap(), b"one\n");
        assert_eq!(ctx.read(other, 100).await.unwrap(), b"two\n", "they share the position");
        let append = ctx.open("/tmp/f", Open::APPEND).await.unwrap();
        ctx.write_all(fd, b"three\n").await.unwrap();
        ctx.write_all(append, b"four\n").await.unwrap();
        assert_eq!(ctx.stat("/tmp/f").unwrap().size, 19);
        assert_eq!(ctx.read(append, 1).await, Err(Errno::EBADF));
        assert_eq!(ctx.read(99, 1).await, Err(Errno::EBADF));
        assert_eq!(ctx.dup2(fd, 1000), Err(Errno::EBADF));
        let mut opened = 0;
        while ctx.dup(0, 0).is_ok() {
            opened += 1;
        }
        assert_eq!(opened, 13);
        assert_eq!(ctx.open("/tmp/f", Open::READ).await, Err(Errno::EMFILE));
        assert_eq!(ctx.pipe(), Err(Errno::EMFILE));
        ctx.close(3).unwrap();
        assert_eq!(ctx.close(3), Err(Errno::EBADF));
        assert_eq!(ctx.pipe(), Err(Errno::EMFILE), "there is room for one end only, which is not kept");
        assert_eq!(ctx.open("/dev/full", Open::APPEND).await, Ok(3));
        assert_eq!(ctx.write(3, b"x").await, Err(Errno::ENOSPC));
        0
    });
    let world = World::new(&[("prog", program)]);
    let got = world.run_with(&["prog"], "", Limits { descriptors: 19, ..Limits::default() }).await;
    assert_eq!(got, Outcome { out: String::new(), err: String::new(), code: 0, out_of_memory: false });
}

#[tokio::test(start_paused = true)]
async fn a_full_pipe_waits_and_a_broken_one_kills() {
    let program = program!(|ctx| {
        let (read, write) = ctx.pipe().unwrap();
        let writer = ctx.fork(Group::Same, move |child| async move {
            child.close(read).unwrap();
            child.write_all(write, &vec![b'x'; 300_000]).await.unwrap();
            0
        });
        ctx.close(write).unwrap();
        ctx.sleep(Duration::from_secs(1)).await.unwrap();
        assert_eq!(ctx.fstat(read).unwrap().size, 65_536, "no more than fits");
        assert_eq!(ctx.read_all(read).await.unwrap().len(), 300_000);
        assert_eq!(ctx.wait(Waiting::Pid(writer.unwrap())).await.unwrap().1, Status::Exited(0));
        let (read, write) = ctx.pipe().unwrap();
        let yes = move |child: Ctx| async move {
            child.close(read).unwrap();
            loop {
                child.write_all(write, b"y\n").await.unwrap();
            }
        };
        let yes = ctx.fork(Group::Same, yes).unwrap();
        assert_eq!(ctx.read_line(read, 10).await.unwrap(), b"y\n");
        ctx.close(read).unwrap();
        assert_eq!(ctx.wait(Waiting::Pid(yes)).await.unwrap().1, Status::Killed(Signal::PIPE));
        ctx.set_disposition(Signal::PIPE, Disposition::Ignore).unwrap();
        assert_eq!(ctx.write(write, b"x").await, Err(Errno::EPIPE));
        0
    });
    assert_eq!(outcome(program).await.code, 0);
}

#[tokio::test(start_paused = true)]
async fn named_pipes_wait_for_each_other() {
    let program = program!(|ctx| {
        ctx.mkfifo("/tmp/p", 0o644).unwrap();
        let child = ctx.fork(Group::Same, |child| async move {
            let fd = child.open("/tmp/p", Open { create: None, ..Open::WRITE }).await.unwrap();
            child.write_all(fd, b"through\n").await.unwrap();
            0
        });
        ctx.sleep(Duration::from_secs(3)).await.unwrap();
        assert_eq!(ctx.try_wait(Waiting::Any), Ok(None), "it waits for who reads");
        let fd = ctx.open("/tmp/p", Open::READ).await.unwrap();
        assert_eq!(ctx.read_all(fd).await.unwrap(), b"through\n");
        ctx.wait(Waiting::Pid(child.unwrap())).await.unwrap().1.code()
    });
    assert_eq!(outcome(program).await.code, 0);
}

/// Sleeps for ever.
const SLEEPER: Program = program!(|ctx| {
    let _ = ctx.sleep(FOREVER).await;
    3
});

#[tokio::test(start_paused = true)]
async fn the_first_process_ignores_what_it_does_not_catch() {
    let catches = program!(|ctx| {
        ctx.set_disposition(Signal::TERM, Disposition::Catch).unwrap();
        assert_eq!(ctx.sleep(FOREVER).await, Err(Errno::EINTR));
        assert_eq!(ctx.take_signal(), Some(Signal::TERM));
        assert_eq!(ctx.take_signal(), None);
        5
    });
    let kills_itself = program!(|ctx| {
        ctx.kill(1, Some(Signal::KILL)).unwrap();
        ctx.kill(0, Some(Signal::TERM)).unwrap();
        4
    });
    let world = World::new(&[("sleeper", SLEEPER), ("catches", catches), ("suicide", kills_itself)]);
    let start = |name| {
        let container = world.container(Limits::default());
        let running = container.start(command(&[name])).unwrap();
        (container, running)
    };
    let (_kept, sleeper) = start("sleeper");
    sleeper.signal(Signal::TERM);
    sleeper.signal(Signal::INT);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(sleeper.ended(), None);
    sleeper.signal(Signal::KILL);
    assert_eq!(sleeper.wait().await, killed(Signal::KILL));
    let (_kept, catcher) = start("catches");
    tokio::time::sleep(Duration::from_secs(1)).await;
    catcher.signal(Signal::TERM);
    assert_eq!(catcher.wait().await.status, Status::Exited(5));
    let (container, dropped) = start("sleeper");
    drop(container);
    assert_eq!(dropped.wait().await, killed(Signal::KILL), "dropped, a container kills");
    let (_kept, suicide) = start("suicide");
    assert_eq!(suicide.wait().await.status, Status::Exited(4), "it cannot kill itself");
}

#[tokio::test(start_paused = true)]
async fn signals_do_to_others_what_linux_says() {
    let program = program!(|ctx| {
        let sleeper = || {
            ctx.fork(Group::New, |child| async move {
                child.set_disposition(Signal::USR1, Disposition::Ignore).unwrap();
                child.sleep(FOREVER).await.map_or(1, |()| 2)
            })
        };
        for (signals, expected) in [
            (vec![Signal::TERM], Signal::TERM),
            (vec![Signal::USR1, Signal::CHLD, Signal::WINCH, Signal::HUP], Signal::HUP),
            (vec![Signal::STOP, Signal::TERM, Signal::CONT], Signal::TERM),
            (vec![Signal::STOP, Signal::KILL], Signal::KILL),
        ] {
            let pid = sleeper().unwrap();
            ctx.sleep(Duration::from_secs(1)).await.unwrap();
            for signal in signals {
                ctx.kill(pid, Some(signal)).unwrap();
            }
            assert_eq!(ctx.wait(Waiting::Pid(pid)).await, Ok((pid, Status::Killed(expected))));
            assert_eq!(ctx.kill(pid, None), Err(Errno::ESRCH));
        }
        let (one, two) = (sleeper().unwrap(), ctx.fork(Group::Same, |_| pending()).unwrap());
        ctx.set_group(two, one).unwrap();
        ctx.kill(-one, Some(Signal::INT)).unwrap();
        assert_eq!(ctx.wait(Waiting::Group(one)).await.unwrap().1.code(), 130);
        assert_eq!(ctx.wait(Waiting::Group(one)).await.unwrap().1.code(), 130);
        assert_eq!(ctx.kill(-one, Some(Signal::INT)), Err(Errno::ESRCH));
        let all = [sleeper().unwrap(), sleeper().unwrap()];
        ctx.kill(-1, Some(Signal::KILL)).unwrap();
        for pid in all {
            assert_eq!(ctx.wait(Waiting::Pid(pid)).await.unwrap().1, Status::Killed(Signal::KILL));
        }
        assert_eq!(ctx.set_disposition(Signal::KILL, Disposition::Ignore), Err(Errno::EINVAL));
        assert_eq!(ctx.set_disposition(Signal::INT, Disposition::Ignore), Ok(Disposition::Default));
        assert_eq!(ctx.set_disposition(Signal::INT, Disposition::Catch), Ok(Disposition::Ignore));
        0
    });
    assert_eq!(outcome(program).await.code, 0);
}

#[tokio::test(start_paused = true)]
async fn only_ones_own_processes_may_be_signalled() {
    let program = program!(|ctx| {
        let roots = ctx.fork(Group::New, |_| pending()).unwrap();
        let user = ctx.fork(Group::New, move |child| async move {
            child.set_credentials(Credentials { uid: 7, gid: 7, groups: Vec::new() }).unwrap();
            assert_eq!(child.set_credentials(Credentials::default()), Err(Errno::EPERM));
            assert_eq!(child.kill(roots, Some(Signal::TERM)), Err(Errno::EPERM));
            assert_eq!(child.open("/root/x", Open::WRITE).await, Err(Errno::EACCES));
            0
        });
        ctx.wait(Waiting::Pid(user.unwrap())).await.unwrap().1.code()
    });
    assert_eq!(outcome(program).await.code, 0);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_ends_is_told_of() {
    let program = program!(|ctx| {
        ctx.set_disposition(Signal::CHLD, Disposition::Catch).unwrap();
        ctx.fork(Group::Same, |_| async { 0 }).unwrap();
        ctx.signalled().await;
        assert_eq!(ctx.take_signal(), Some(Signal::CHLD));
        assert!(ctx.wait(Waiting::Any).await.is_ok());
        ctx.set_disposition(Signal::CHLD, Disposition::Ignore).unwrap();
        ctx.fork(Group::Same, |_| async { 0 }).unwrap();
        ctx.sleep(Duration::from_secs(1)).await.unwrap();
        assert_eq!(ctx.wait(Waiting::Any).await, Err(Errno::ECHILD), "nobody wanted to know");
        0
    });
    assert_eq!(outcome(program).await.code, 0);
}

#[tokio::test(start_paused = true)]
async fn all_end_with_the_first() {
    let program = program!(|ctx| {
        for _ in 0..3 {
            ctx.fork(Group::New, |_| pending()).unwrap();
        }
        ctx.sleep(Duration::from_secs(1)).await.unwrap();
        0
    });
    let world = World::new(&[("prog", program), ("sleeper", SLEEPER)]);
    let container = world.container(Limits::default());
    let main = container.start(command(&["prog"])).unwrap();
    let beside = container.exec(command(&["sleeper"])).unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(container.processes().len(), 5);
    assert_eq!(main.wait().await.status, Status::Exited(0));
    assert_eq!(beside.wait().await, killed(Signal::KILL));
    assert_eq!((container.processes().len(), container.usage().processes), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn processes_are_shared_in_a_sandbox() {
    let world = World::new(&[("sleeper", SLEEPER)]);
    world.sandbox.share_processes();
    let (one, two) = (world.container(Limits::default()), world.container(Limits::default()));
    let first = one.start(command(&["sleeper"])).unwrap();
    let second = two.start(command(&["sleeper"])).unwrap();
    let names: Vec<String> = one.processes().into_iter().map(|process| format!("{} {}", process.pid, process.args[0])).collect();
    assert_eq!(names, ["1 /pause", "2 sleeper", "3 sleeper"]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    first.signal(Signal::TERM);
    assert_eq!(first.wait().await, killed(Signal::TERM), "it is not the first of its namespace");
    assert_eq!(second.ended(), None);
    world.sandbox.end();
    assert_eq!(second.wait().await, killed(Signal::KILL));
}

#[tokio::test(start_paused = true)]
async fn a_container_joins_the_processes_of_another() {
    let world = World::new(&[("sleeper", SLEEPER)]);
    let one = world.container(Limits::default());
    let first = one.start(command(&["sleeper"])).unwrap();
    let two = Container::beside(&one, world.spec(Limits::default())).unwrap();
    let second = two.start(command(&["sleeper"])).unwrap();
    let pids: Vec<_> = two.processes().into_iter().map(|process| process.pid).collect();
    assert_eq!((first.pid(), second.pid(), pids), (1, 2, vec![1, 2]));
    two.kill_all();
    assert_eq!((second.wait().await, first.ended()), (killed(Signal::KILL), None), "what is its own ends with it");
    let three = Container::beside(&one, world.spec(Limits::default())).unwrap();
    let third = three.start(command(&["sleeper"])).unwrap();
    first.signal(Signal::KILL);
    assert_eq!(third.wait().await, killed(Signal::KILL), "it ends with the first");
}

#[tokio::test(start_paused = true)]
async fn residents_have_no_future_and_yet_live() {
    let server = program!(|ctx| {
        let reacts = |signal| match signal {
            Signal::TERM | Signal::INT | Signal::QUIT => React::Exit(0),
            Signal::HUP => React::Nothing,
            _ => React::Default,
        };
        let worker = Resident {
            args: vec!["server: worker".into()],
            uid: Some(101),
            memory: 1 << 20,
            reacts: std::sync::Arc::new(reacts),
            children: Vec::new(),
        };
        let master = Resident { args: vec!["server: master".into()], uid: None, children: vec![worker.clone(), worker.clone()], ..worker };
        ctx.out("ready\n").await.unwrap();
        match ctx.reside(master).await {}
    });
    let world = World::new(&[("server", server)]);
    let container = world.container(Limits::default());
    let job = Job::of(command(&["server"]), "");
    let running = container.start(job.command).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(job.seen.out.text(), "ready\n");
    let shown: Vec<String> =
        container.processes().into_iter().map(|it| format!("{} {} {} {}", it.pid, it.ppid, it.uid, it.args.join(" "))).collect();
    assert_eq!(shown, ["1 0 0 server: master", "2 1 101 server: worker", "3 1 101 server: worker"]);
    assert!(container.usage().memory > 3 << 20);
    running.signal(Signal::HUP);
    running.signal(Signal::USR2);
    assert_eq!(running.ended(), None);
    running.signal(Signal::QUIT);
    assert_eq!(running.wait().await.status, Status::Exited(0));
    assert_eq!(container.processes().len(), 0);
}

/// Never stops working.
const SPINNER: Program = program!(|ctx| {
    loop {
        ctx.step(1).await;
    }
});

/// Makes so many steps and tells how long that took.
const WORKER: Program = program!(|ctx| {
    let begin = Instant::now();
    for _ in 0..10_000 {
        ctx.step(1).await;
    }
    ctx.out(begin.elapsed().as_millis().to_string()).await.unwrap();
    0
});

#[tokio::test(start_paused = true)]
async fn an_endless_loop_costs_its_share_and_harms_nobody() {
    let world = World::new(&[("spinner", SPINNER), ("worker", WORKER)]);
    let limits = Limits { steps: 20_000, burst: 20_000, ..Limits::default() };
    let (busy, other) = (world.container(limits), world.container(limits));
    let spinner = busy.start(command(&["spinner"])).unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let steps = busy.core.budget.used();
    // The steps of ten seconds and what was saved up, and not much in advance.
    assert!((190_000..225_000).contains(&steps), "{steps}");
    let cpu = busy.usage().cpu.as_secs();
    assert!((9..12).contains(&cpu), "a loop shows as one processor: {cpu} s in ten");
    let job = Job::of(command(&["worker"]), "");
    let worker = other.start(job.command).unwrap();
    assert_eq!(worker.wait().await.status, Status::Exited(0));
    assert_eq!(job.seen.out.text(), "0", "the neighbour works at once");
    // Beside the loop, in its container, work gets half of the steps: ten thousand take a second.
    let job = Job::of(command(&["worker"]), "");
    assert_eq!(busy.exec(job.command).unwrap().wait().await.status, Status::Exited(0));
    let took: u64 = job.seen.out.text().parse().unwrap();
    assert!((700..1500).contains(&took), "{took} ms");
    spinner.signal(Signal::KILL);
    assert_eq!(spinner.wait().await, killed(Signal::KILL));
}

#[tokio::test(start_paused = true)]
async fn forks_without_end_are_bounded() {
    let bomb = program!(|ctx| {
        fn explode(ctx: Ctx) -> futures::future::BoxFuture<'static, i32> {
            Box::pin(async move {
                loop {
                    if ctx.fork(Group::Same, explode) == Err(Errno::EAGAIN) {
                        ctx.sleep(Duration::from_millis(10)).await.unwrap();
                    }
                    ctx.step(1).await;
                }
            })
        }
        explode(ctx).await
    });
    let world = World::new(&[("bomb", bomb), ("worker", WORKER)]);
    let limits = Limits { processes: 50, burst: 20_000, ..Limits::default() };
    let (bad, good) = (world.container(limits), world.container(limits));
    let bomb = bad.start(command(&["bomb"])).unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(bad.usage().processes, 50);
    assert_eq!(bad.exec(command(&["true"])).err(), Some(StartError::Fork(Errno::EAGAIN)));
    let worker = good.start(command(&["worker"])).unwrap();
    assert_eq!(worker.wait().await.status, Status::Exited(0));
    bad.kill_all();
    assert_eq!(bomb.wait().await, killed(Signal::KILL));
    assert_eq!((bad.usage().processes, bad.processes().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn who_holds_too_much_is_killed() {
    let hog = program!(|ctx| {
        let mut held = Vec::new();
        let pretends = ctx.args().len() > 1;
        loop {
            held.push(if pretends { ctx.pretend(1 << 20) } else { ctx.allocate(1 << 20) }.unwrap());
            ctx.step(1).await;
        }
    });
    let parent = program!(|ctx| {
        let spawn = Spawn { file: "hog".into(), args: vec!["hog".into()], ..Spawn::default() };
        for _ in 0..3 {
            let pid = ctx.spawn(spawn.clone()).unwrap();
            assert_eq!(ctx.wait(Waiting::Pid(pid)).await.unwrap().1.code(), 137);
        }
        // What the dead held is there again.
        let held = ctx.allocate(8 << 20).unwrap();
        drop(held);
        0
    });
    let world = World::new(&[("hog", hog), ("parent", parent)]);
    let limits = Limits { memory: 64 << 20, heap: 16 << 20, ..Limits::default() };
    for args in [&["hog"] as &[&str], &["hog", "pretend"]] {
        let got = world.run_with(args, "", limits).await;
        assert_eq!((got.code, got.out_of_memory), (137, true));
    }
    let got = world.run_with(&["parent"], "", limits).await;
    assert_eq!((got.code, got.out_of_memory), (0, false));
    let got = world.run_with(&["parent"], "", Limits { kill_all: true, ..limits }).await;
    assert_eq!((got.code, got.out_of_memory), (0, false), "what is really held is ours to bound");
    let got = world.run_with(&["parent"], "", Limits { kill_all: true, memory: 8 << 20, ..limits }).await;
    assert_eq!((got.code, got.out_of_memory), (137, true));
    let unbounded = world.container(Limits { memory: u64::MAX, ..limits });
    let running = unbounded.start(command(&["hog", "pretend"])).unwrap();
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(running.ended(), None, "what is only pretended needs no host");
    assert!(unbounded.usage().memory > 1 << 30);
}

#[tokio::test(start_paused = true)]
async fn pipes_count_as_memory() {
    let program = program!(|ctx| {
        for _ in 0..40 {
            let (read, write) = ctx.pipe().unwrap();
            let filler = move |child: Ctx| async move {
                child.close(read).unwrap();
                child.write_all(write, &[0; 65_536]).await.unwrap();
                0
            };
            ctx.fork(Group::Same, filler).unwrap();
            ctx.wait(Waiting::Any).await.unwrap();
        }
        0
    });
    let world = World::new(&[("prog", program)]);
    assert_eq!(world.run_with(&["prog"], "", Limits { heap: 1 << 20, ..Limits::default() }).await.code, 137);
    assert_eq!(world.run_with(&["prog"], "", Limits { heap: 4 << 20, ..Limits::default() }).await.code, 0);
}

#[tokio::test(start_paused = true)]
async fn depth_is_bounded_and_has_the_stack_it_needs() {
    let program = program!(|ctx| {
        fn dig(ctx: Ctx) -> futures::future::BoxFuture<'static, u32> {
            Box::pin(async move {
                let ballast = [ctx.depth(); 1000];
                let below = ctx.deeper(dig(ctx.clone())).await;
                ctx.step(1).await;
                below.map_or(1, |depth| depth + 1 + ballast[999] - ballast[0])
            })
        }
        let deep = dig(ctx.clone()).await;
        assert_eq!(ctx.depth(), 0);
        ctx.out(deep.to_string()).await.unwrap();
        0
    });
    let world = World::new(&[("prog", program)]);
    let got = world.run_with(&["prog"], "", Limits { depth: 2000, heap: 1 << 30, ..Limits::default() }).await;
    assert_eq!((got.out.as_str(), got.code), ("2001", 0));
    let got = world.run_with(&["prog"], "", Limits { depth: 2000, heap: 1 << 20, ..Limits::default() }).await;
    assert_eq!((got.code, got.out_of_memory), (137, true), "what is held on the way is accounted");
}

#[tokio::test(start_paused = true)]
async fn a_deep_process_that_is_killed_is_dropped_safely() {
    let program = program!(|ctx| {
        fn dig(ctx: Ctx) -> futures::future::BoxFuture<'static, ()> {
            Box::pin(async move {
                let ballast = [ctx.depth(); 1000];
                if ctx.deeper(dig(ctx.clone())).await.is_err() {
                    ctx.idle().await;
                }
                ctx.step(ballast[0]).await;
            })
        }
        dig(ctx).await;
        0
    });
    let world = World::new(&[("prog", program)]);
    let container = world.container(Limits { depth: 2000, heap: 1 << 30, ..Limits::default() });
    let running = container.start(command(&["prog"])).unwrap();
    tokio::time::sleep(Duration::from_secs(100)).await;
    running.signal(Signal::KILL);
    assert_eq!(running.wait().await, killed(Signal::KILL));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(container.usage().memory, 0);
}

#[tokio::test(start_paused = true)]
async fn a_program_that_panics_crashes_alone() {
    let program = program!(|ctx| {
        let child = ctx.fork(Group::Same, |_| async { panic!("on purpose") }).unwrap();
        ctx.wait(Waiting::Pid(child)).await.unwrap().1.code()
    });
    assert_eq!(outcome(program).await.code, 139);
}

/// Repeats what it reads.
const ECHOES: Program = program!(|ctx| {
    loop {
        let line = ctx.read_line(0, 1000).await.unwrap();
        if line.is_empty() {
            return 0;
        }
        ctx.out([b"> ", &line[..]].concat()).await.unwrap();
    }
});

#[tokio::test(start_paused = true)]
async fn a_terminal_edits_interrupts_and_ends() {
    let world = World::new(&[("echoes", ECHOES), ("sleeper", SLEEPER)]);
    world.sandbox.share_processes();
    let container = world.container(Limits::default());
    let mut person = Person::at(&container, command(&["echoes"]));
    person.types("helo\x7flo\r").await;
    assert_eq!(person.sees("> hello\r\n").await, "helo\x08 \x08lo\r\n> hello\r\n");
    person.types("\x04").await;
    assert_eq!(person.running.wait().await.status, Status::Exited(0));
    let container = world.container(Limits::default());
    let mut person = Person::at(&container, command(&["sleeper"]));
    person.types("\x03").await;
    assert_eq!(person.running.wait().await, killed(Signal::INT));
    assert_eq!(person.sees("^C").await, "^C");
}

#[tokio::test(start_paused = true)]
async fn a_terminal_is_for_the_foreground() {
    let program = program!(|ctx| {
        ctx.set_disposition(Signal::WINCH, Disposition::Catch).unwrap();
        let child = ctx
            .fork(Group::New, |child| async move {
                let line = child.read_line(0, 100).await.unwrap();
                child.out([b"child: ", &line[..]].concat()).await.unwrap();
                child.sleep(FOREVER).await.map_or(1, |()| 0)
            })
            .unwrap();
        let line = ctx.read_line(0, 100).await.unwrap();
        ctx.out([b"parent: ", &line[..]].concat()).await.unwrap();
        ctx.set_foreground(0, child).unwrap();
        let ended = ctx.wait(Waiting::Pid(child)).await.unwrap();
        ctx.set_foreground(0, ctx.pgid()).unwrap();
        ctx.out(format!("{}\n", ended.1.code())).await.unwrap();
        ctx.signalled().await;
        assert_eq!(ctx.take_signal(), Some(Signal::WINCH));
        let size = ctx.size(0).unwrap();
        ctx.out(format!("{} {} {}\n", size.rows, size.columns, ctx.is_terminal(1))).await.unwrap();
        let tty = ctx.open("/dev/tty", Open::APPEND).await.unwrap();
        ctx.write_all(tty, b"by name\n").await.unwrap();
        ctx.sleep(FOREVER).await.map_or(1, |()| 0)
    });
    let world = World::new(&[("prog", program)]);
    let container = world.container(Limits::default());
    let mut person = Person::at(&container, command(&["prog"]));
    person.types("one\n").await;
    person.sees("parent: one\r\n").await;
    person.types("two\n").await;
    person.sees("child: two\r\n").await;
    person.types("\x03").await;
    person.sees("^C130\r\n").await;
    person.running.resize(super::Size { rows: 10, columns: 20 });
    let screen = person.sees("by name\r\n").await;
    assert_eq!(screen, "one\r\nparent: one\r\ntwo\r\nchild: two\r\n^C130\r\n10 20 true\r\nby name\r\n");
    let before = person.running.ended();
    person.running.hang_up();
    assert_eq!(before, None);
}

#[tokio::test(start_paused = true)]
async fn proc_tells_what_is() {
    let program = program!(|ctx| {
        let read = async |path: &str| {
            let fd = ctx.open(path, Open::READ).await.unwrap();
            let text = String::from_utf8(ctx.read_all(fd).await.unwrap()).unwrap();
            ctx.close(fd).unwrap();
            text
        };
        assert_eq!(read("/proc/self/cmdline").await, "prog\0an arg\0");
        assert_eq!(read("/proc/1/comm").await, "prog\n");
        assert!(read("/proc/self/status").await.contains("Uid:\t0\t0\t0\t0\n"));
        assert_eq!(read("/proc/mounts").await, "overlay / overlay rw,relatime 0 0\nproc /proc proc rw,relatime 0 0\n");
        assert!(read("/proc/uptime").await.starts_with("0.00 "));
        assert!(read("/proc/meminfo").await.starts_with("MemTotal:        8388608 kB\n"));
        assert_eq!(ctx.list("/proc").unwrap().iter().filter(|entry| entry.name == "1").count(), 1);
        assert_eq!(ctx.stat("/proc/99"), Err(Errno::ENOENT));
        let fd = ctx.open("/dev/stdout", Open::APPEND).await.unwrap();
        ctx.write_all(fd, b"by name\n").await.unwrap();
        let child = ctx.fork(Group::Same, |child| async move {
            child.close(1).unwrap();
            let fd = child.open("/proc/1/fd/1", Open { create: None, ..Open::WRITE }).await.unwrap();
            child.write_all(fd, b"to the log\n").await.unwrap();
            0
        });
        ctx.wait(Waiting::Pid(child.unwrap())).await.unwrap().1.code()
    });
    let got = World::new(&[("prog", program)]).run(&["prog", "an arg"]).await;
    assert_eq!((got.out.as_str(), got.code), ("by name\nto the log\n", 0));
}

#[test]
fn a_container_is_small() {
    use super::{core::Core, process::Process, table};
    use crate::files::{Tree, view::View};
    let container = size_of::<Core>() + size_of::<View>() + size_of::<Tree>() + size_of::<table::Namespace>();
    assert!(container <= 512, "{container}");
    let process = size_of::<Process>() + size_of::<table::Entry>();
    assert!(process <= 320, "{process}");
}

#[tokio::test(start_paused = true)]
async fn work_that_a_call_does_is_accounted() {
    let program = program!(|ctx| {
        let cost = |deed: &dyn Fn(&Ctx)| {
            let before = ctx.cpu();
            deed(&ctx);
            ctx.cpu() - before
        };
        let cheap = cost(&|ctx| drop(ctx.stat("/tmp")));
        ctx.symlink(&"./".repeat(2000), "/tmp/0").unwrap();
        for link in 1..40 {
            ctx.symlink(&format!("{}{}", "./".repeat(2000), link - 1), &format!("/tmp/{link}")).unwrap();
        }
        let winding = cost(&|ctx| drop(ctx.stat("/tmp/39")));
        assert!(winding > cheap * 1000, "{winding:?} {cheap:?}");
        let searching = cost(&|ctx| drop(ctx.find("nosuch", &"/bin:".repeat(1000))));
        assert!(searching > cheap * 100, "{searching:?}");
        let fd = ctx.open("/tmp/f", Open::WRITE).await.unwrap();
        let far = cost(&|ctx| assert!(ctx.seek(fd, Seek::Start(60 << 20)).is_ok()));
        assert!(far > cheap * 500, "{far:?}");
        0
    });
    assert_eq!(outcome(program).await.code, 0);
}
