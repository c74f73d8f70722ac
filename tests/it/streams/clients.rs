//! What a person types, `kubectl` and `mini-ctl` alike: `exec`, `attach`, `cp`, `port-forward`, `run`, `top`, and what they print.

use std::{path::Path, process::Stdio};

use mini_tests::{binaries, wait_for};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStdout, Command},
};

use super::{PODS, Talkative, bytes, in_time, runtime::ECHO, runtime::HTTP};

/// A client with a folder of its own.
struct Client {
    program: std::path::PathBuf,
    server: String,
    folder: TempDir,
}

/// What became of a command.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

impl Ended {
    fn text(&self) -> (Option<i32>, String, &str) {
        (self.code, String::from_utf8_lossy(&self.stdout).into_owned(), &self.stderr)
    }
}

impl Client {
    fn all(world: &Talkative) -> [Self; 2] {
        [Path::new("kubectl").to_owned(), binaries().join("mini-ctl")].map(|program| Self {
            program,
            server: format!("http://{}", world.cluster.address()),
            folder: TempDir::new().expect("a folder"),
        })
    }

    fn name(&self) -> String {
        self.program.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn is_ours(&self) -> bool {
        self.name() == "mini-ctl"
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("MINI_HOME", self.folder.path())
            .env_remove("KUBECONFIG");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    fn start(&self, args: &[&str]) -> Child {
        self.command(&self.program).args(["--server", &self.server]).args(args).spawn().expect("it starts")
    }

    async fn run(&self, args: &[&str], input: &[u8]) -> Ended {
        finish(&format!("{} {}", self.name(), args.join(" ")), self.start(args), input).await
    }

    /// Runs it at a terminal.
    async fn type_into(&self, args: &str, input: &[u8]) -> Ended {
        let line = format!("{} --server {} {args}", self.program.display(), self.server);
        let child = self.command(Path::new("script")).args(["-qec", &line, "/dev/null"]).spawn().expect("script starts");
        finish(&line, child, input).await
    }
}

async fn finish(what: &str, mut child: Child, input: &[u8]) -> Ended {
    let mut stdin = child.stdin.take().expect("stdin");
    let writing = async {
        // It may not want to read it.
        let _ = stdin.write_all(input).await;
        drop(stdin);
    };
    let ((), output) = in_time(what, futures::future::join(writing, child.wait_with_output())).await;
    let output = output.expect("it ends");
    // kubectl before 1.33 hears before it is ready, if it is slow, and complains of the empty greeting of the streams.
    let complains = |line: &str| line.starts_with('E') && line.contains("Unknown stream id");
    let stderr = String::from_utf8_lossy(&output.stderr).split_inclusive('\n').filter(|line| !complains(line)).collect();
    Ended { code: output.status.code(), stdout: output.stdout, stderr }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_are_run_from_the_command_line() {
    let world = Talkative::start().await;
    world.pod("web", &["nginx"]).await;
    world.pod("two", &["a", "b"]).await;
    for client in Client::all(&world) {
        let sent = bytes(1 << 20);
        let cat = client.run(&["exec", "-i", "web", "--", "cat"], &sent).await;
        assert_eq!((cat.code, cat.stderr.as_str()), (Some(0), ""), "{}", client.name());
        assert!(cat.stdout == sent, "{}: {} bytes came back", client.name(), cat.stdout.len());
        // What is not passed on is at its end.
        assert_eq!(client.run(&["exec", "web", "--", "cat"], b"nobody reads this").await.text(), (Some(0), String::new(), ""));
        let fail = client.run(&["exec", "web", "--", "fail", "3"], b"").await;
        assert_eq!(fail.text(), (Some(3), String::new(), "no\ncommand terminated with exit code 3\n"), "{}", client.name());
        let chosen = client.run(&["exec", "two", "--", "fail", "0"], b"").await;
        assert_eq!(chosen.code, Some(0), "{chosen:?}");
        assert!(
            chosen.stderr.contains("efaulted container \"a\"") || chosen.stderr.contains("efaulting container name to a"),
            "{chosen:?}"
        );
        let wrong = client.run(&["exec", "two", "-c", "x", "--", "cat"], b"").await;
        let why = "Error from server (BadRequest): container x is not valid for pod two\n";
        assert_eq!(wrong.text(), (Some(1), String::new(), why), "{}", client.name());
        assert_eq!(client.run(&["exec", "none", "--", "cat"], b"").await.stderr, "Error from server (NotFound): pods \"none\" not found\n");
        let missing = client.run(&["exec", "web", "--", "nothing"], b"").await;
        assert_eq!(missing.code, Some(1));
        assert!(missing.stderr.starts_with("error: Internal error occurred: error executing command in container: "), "{missing:?}");
        let nothing = client.run(&["exec", "web"], b"").await;
        assert_eq!(nothing.text(), (Some(1), String::new(), "error: you must specify at least one command for the container\n"));
        let no_terminal = client.run(&["exec", "-it", "web", "--", "cat"], b"x").await;
        assert_eq!((no_terminal.code, no_terminal.stdout.as_slice()), (Some(0), &b"x"[..]));
        assert_eq!(no_terminal.stderr, "Unable to use a TTY - input is not a terminal or the right kind of file\n");
        let typed = client.type_into("exec -it web -- tty", b"").await;
        // kubectl may complain of what came before it was ready, or that it cannot tell its size any more.
        let shown = String::from_utf8_lossy(&typed.stdout);
        assert!(shown.lines().any(|line| line == "tty=true"), "{}: {shown}", client.name());
        if client.is_ours() {
            let old = client.run(&["exec", "web", "fail", "0"], b"").await;
            let deprecated = "mini-ctl exec [POD] [COMMAND] is DEPRECATED and will be removed in a future version. Use mini-ctl exec [POD] -- [COMMAND] instead.\n";
            assert_eq!(old.stderr, format!("{deprecated}no\n"));
        }
    }
    world.nothing_is_left().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_copied_both_ways() {
    let world = Talkative::start().await;
    world.pod("web", &["nginx"]).await;
    for (number, client) in Client::all(&world).into_iter().enumerate() {
        let path = |name: &str| client.folder.path().join(name);
        let long = "n".repeat(150);
        std::fs::create_dir_all(path("www/empty")).expect("a folder");
        std::fs::create_dir(path("www/sub")).expect("a folder");
        std::fs::write(path("www/index.html"), bytes(300_000)).expect("a file");
        std::fs::write(path("www/sub").join(&long), "long").expect("a file");
        let there = format!("/var/www-{number}");
        let copied = client.run(&["cp", "www", &format!("web:{there}")], b"").await;
        assert_eq!(copied.text(), (Some(0), String::new(), ""), "{}", client.name());
        let back = client.run(&["cp", &format!("default/web:{there}"), "./back"], b"").await;
        let told = "tar: removing leading '/' from member names\n";
        assert_eq!((back.code, format!("{}{}", back.text().1, back.stderr)), (Some(0), told.to_owned()), "{}", client.name());
        assert_eq!(std::fs::read(path("back/index.html")).expect("it came back"), bytes(300_000));
        assert_eq!(std::fs::read(path("back/sub").join(&long)).expect("it came back"), b"long");
        assert!(path("back/empty").is_dir());

        // Into a folder that is there, a file under its own name, and one file alone.
        client.run(&["cp", "www/index.html", &format!("web:{there}/sub"), "-c", "nginx"], b"").await;
        let one = client.run(&["cp", &format!("web:{there}/sub/index.html"), "page"], b"").await;
        assert_eq!(one.code, Some(0), "{one:?}");
        assert_eq!(std::fs::read(path("page")).expect("it came"), bytes(300_000));

        let missing = client.run(&["cp", "web:/none", "none"], b"").await;
        // Upstream may have ended before it hears what tar said, and that it failed.
        if client.is_ours() {
            assert_eq!(missing.code, Some(2), "{missing:?}");
            assert!(missing.text().1.contains("No such file or directory"), "{missing:?}");
            assert_eq!(missing.stderr, "command terminated with exit code 2\n");
        }
        let absent = client.run(&["cp", "none", "web:/none"], b"").await;
        assert_eq!(absent.text(), (Some(1), String::new(), "error: none doesn't exist in local filesystem\n"), "{}", client.name());
        let neither = client.run(&["cp", "a", "b"], b"").await;
        assert_eq!(neither.text(), (Some(1), String::new(), "error: one of src or dest must be a remote file specification\n"));
    }
    world.nothing_is_left().await;
    world.stop().await;
}

/// A running `port-forward` and the local ports it told.
async fn forwarding(client: &Client, of: &str, ports: &[&str]) -> (Child, Lines<BufReader<ChildStdout>>, Vec<u16>) {
    let mut child = client.start(&[&["port-forward", of, "--address", "127.0.0.1"], ports].concat());
    let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
    let mut locals = Vec::new();
    while locals.len() < ports.len() {
        let line = in_time("the ports", lines.next_line()).await.expect("a line").expect("one for each port");
        let local = line.strip_prefix("Forwarding from 127.0.0.1:").and_then(|rest| rest.split(' ').next()?.parse().ok());
        locals.push(local.unwrap_or_else(|| panic!("{}: {line}", client.name())));
    }
    (child, lines, locals)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ports_are_forwarded_from_the_command_line() {
    let world = Talkative::start().await;
    world.pod("web", &["nginx"]).await;
    let ports = json!([{ "name": "web", "port": 8080, "targetPort": HTTP }]);
    let service = json!({ "metadata": { "name": "web" }, "spec": { "selector": { "app": "web" }, "ports": ports } });
    assert_eq!(world.http.post("/api/v1/namespaces/default/services", &service).await.code, 201);
    for client in Client::all(&world) {
        let (child, mut lines, locals) = forwarding(&client, "pod/web", &[&format!(":{ECHO}"), &format!(":{HTTP}")]).await;
        // Several at once, each with more than fits into all buffers on the way; that one side has ended does not end the other.
        let talks = (0..4).map(async |_| {
            let mut stream = TcpStream::connect(("127.0.0.1", locals[0])).await.expect("it is accepted");
            let (mut reader, mut writer) = stream.split();
            let sent = bytes(1 << 20);
            let mut received = Vec::new();
            let writing = async {
                writer.write_all(&sent).await.expect("it is sent");
                writer.shutdown().await.expect("it is ended");
            };
            let (read, ()) = futures::future::join(reader.read_to_end(&mut received), writing).await;
            read.expect("it comes back");
            assert!(received == sent, "{} bytes of {} came back", received.len(), sent.len());
        });
        in_time("four talks", futures::future::join_all(talks)).await;
        let mut stream = TcpStream::connect(("127.0.0.1", locals[1])).await.expect("it is accepted");
        stream.write_all(b"GET /x HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n").await.expect("it is asked");
        let mut answer = String::new();
        in_time("an answer", stream.read_to_string(&mut answer)).await.expect("it is text");
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("GET /x as -, -"), "{answer}");
        let told = in_time("what is told", lines.next_line()).await.expect("a line");
        assert_eq!(told, Some(format!("Handling connection for {}", locals[0])));
        drop(child);
        world.nothing_is_left().await;

        let (child, _lines, locals) = forwarding(&client, "service/web", &[":8080"]).await;
        let mut stream = TcpStream::connect(("127.0.0.1", locals[0])).await.expect("it is accepted");
        stream.write_all(b"GET /y HTTP/1.0\r\n\r\n").await.expect("it is asked");
        in_time("an answer", stream.read_to_string(&mut answer)).await.expect("it is text");
        assert!(answer.ends_with("GET /y as -, -"), "{answer}");
        drop((child, stream));

        // Nobody listens.
        let (mut child, _lines, locals) = forwarding(&client, "web", &[":9"]).await;
        let mut stream = TcpStream::connect(("127.0.0.1", locals[0])).await.expect("it is accepted");
        let mut nothing = Vec::new();
        let _ = in_time("the end", stream.read_to_end(&mut nothing)).await;
        assert_eq!(nothing, b"");
        let mut complaints = BufReader::new(child.stderr.take().expect("stderr")).lines();
        let complaint = in_time("the complaint", complaints.next_line()).await.expect("a line").unwrap_or_default();
        assert!(
            complaint.contains(&format!("an error occurred forwarding {} -> 9: error forwarding port 9 to pod", locals[0])),
            "{complaint}"
        );
        if client.is_ours() {
            let last = in_time("the end", complaints.next_line()).await.expect("a line");
            assert_eq!(last.as_deref(), Some("error: lost connection to pod"));
            assert_eq!(in_time("the end", child.wait()).await.expect("it ends").code(), Some(1));
        }
        let none = client.run(&["port-forward", "pod/none", "80"], b"").await;
        assert_eq!(none.text(), (Some(1), String::new(), "Error from server (NotFound): pods \"none\" not found\n"), "{}", client.name());
    }
    world.nothing_is_left().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_is_run_and_attached_to() {
    let world = Talkative::start().await;
    for (number, client) in Client::all(&world).into_iter().enumerate() {
        for (name, code) in [(format!("well-{number}"), 0), (format!("badly-{number}"), 3)] {
            let script = format!("sleep 2; echo exiting with code {code}; exit {code}");
            let args = ["run", &name, "--image=busybox", "--restart=Never", "--attach", "--rm", "--", "sh", "-c", &script];
            let ran = client.run(&args, b"").await;
            let prompt = "If you don't see a command prompt, try pressing enter.\n";
            let failed = format!("pod default/{name} terminated (Error)\n");
            assert_eq!(ran.code, Some(code), "{}: {ran:?}", client.name());
            assert_eq!(ran.text().1, format!("exiting with code {code}\npod \"{name}\" deleted\n"), "{}", client.name());
            assert_eq!(ran.stderr, format!("{prompt}{}", if code == 0 { "" } else { &failed }), "{}", client.name());
            wait_for("the end of the pod", || async {
                let left = world.http.get(&format!("{PODS}/{name}")).await;
                if left.code == 404 { Ok(()) } else { Err(left.text()) }
            })
            .await;
        }
        let name = format!("simple-{number}");
        let made = client.run(&["run", &name, "--image=nginx"], b"").await;
        assert_eq!(made.text(), (Some(0), format!("pod/{name} created\n"), ""));
        let gone = client.run(&["attach", "none"], b"").await;
        assert_eq!(gone.text(), (Some(1), String::new(), "Error from server (NotFound): pods \"none\" not found\n"));
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_pods_and_nodes_use_is_told() {
    let world = Talkative::start().await;
    world.pod("web", &["nginx"]).await;
    world.pod("two", &["a", "b"]).await;
    let [_, ours] = Client::all(&world);
    let missing = ours.run(&["top", "pod"], b"").await;
    assert_eq!(missing.text(), (Some(1), String::new(), "error: Metrics API not available\n"));
    let server = mini_tests::root().join("examples/labs/autoscaling/metrics-server.yml");
    assert_eq!(ours.run(&["apply", "-f", &server.to_string_lossy()], b"").await.code, Some(0));
    for args in [
        &["top", "pod"][..],
        &["top", "pod", "--containers"],
        &["top", "pod", "-A", "--sort-by=cpu"],
        &["top", "pod", "--sum"],
        &["top", "pod", "two", "--containers", "--no-headers"],
        &["top", "node"],
    ] {
        // What is used is steady, so that two clients see the same.
        let [theirs, ours] = Client::all(&world);
        let (expected, told) = (theirs.run(args, b"").await, ours.run(args, b"").await);
        assert_eq!(told.code, Some(0), "{args:?}");
        // Old clients have not all flags, and call a column of nodes otherwise.
        if !expected.stderr.contains("unknown flag") && !expected.text().1.contains("CPU%") {
            assert_eq!(told.text(), expected.text(), "{args:?}");
        }
    }
    let page = async |path: &str| world.http.get(&format!("/api/v1/nodes/node-1/proxy{path}")).await.text();
    let resource = page("/metrics/resource").await;
    for line in [
        "container_cpu_usage_seconds_total{container=\"a\",namespace=\"default\",pod=\"two\"} ",
        "pod_memory_working_set_bytes{namespace=\"default\",pod=\"web\"} ",
        "node_cpu_usage_seconds_total ",
    ] {
        assert!(resource.lines().any(|told| told.starts_with(line)), "{line} in {resource}");
    }
    assert!(page("/metrics/cadvisor").await.contains("container_memory_working_set_bytes{container=\"nginx\",id=\"/kubepods/"));
    assert!(page("/metrics").await.contains("kubelet_running_pods 2\n"));
    world.stop().await;
}
