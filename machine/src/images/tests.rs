//! Images as somebody meets them: started, asked over their ports, and stopped.

use std::sync::Arc;

use super::{find, programs};
use crate::{
    Container, Machine, Sandbox, Signal,
    files::{Credentials, Space, Tree},
    kernel::{Command, ContainerSpec, Exit, Limits, Running, SandboxSpec, Status},
    net::Alone,
    testing::{Job, Seen, now},
};

/// A container of an image.
struct Box_ {
    container: Container,
    env: Vec<(String, String)>,
    running: Running,
    seen: Seen,
}

impl Box_ {
    /// Starts what an image runs, or with other arguments, and more variables.
    fn start(reference: &str, args: &[&str], env: &[(&str, &str)]) -> Self {
        Self::start_with(reference, args, env, Limits::default())
    }

    fn start_with(reference: &str, args: &[&str], env: &[(&str, &str)], limits: Limits) -> Self {
        let image = find(reference);
        let now = now();
        #[allow(clippy::disallowed_methods, reason = "a test owns its tasks")]
        let spawn = |_: &'static str, future| drop(tokio::spawn(future));
        let machine = Machine { programs: programs(), spawn: Arc::new(spawn), now: now.clone() };
        let sandbox = Sandbox::new(SandboxSpec { machine: Arc::new(machine), hostname: "pod-1".into(), network: Arc::new(Alone), seed: 7 });
        let root = Tree::new(image.files.clone(), Space::default(), now);
        let container = Container::new(&sandbox, ContainerSpec { root, read_only: false, mounts: Vec::new(), limits }).unwrap();
        let cmd = if args.is_empty() { image.cmd.clone() } else { args.iter().map(|arg| (*arg).to_owned()).collect() };
        let path = ("PATH".to_owned(), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned());
        let more = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let env: Vec<(String, String)> = [path].into_iter().chain(image.env.clone()).chain(more).collect();
        let command = Command {
            args: [image.entrypoint.clone(), cmd].concat(),
            env: env.clone(),
            cwd: image.cwd.clone(),
            who: Credentials::default(),
            ..Command::default()
        };
        let job = Job::of(command, "");
        let running = container.start(job.command).unwrap();
        Self { container, env, running, seen: job.seen }
    }

    /// What a script in it writes.
    async fn asks(&self, script: &str) -> String {
        let args = ["sh", "-c", script].map(str::to_owned).to_vec();
        let job = Job::of(Command { args, env: self.env.clone(), cwd: "/".into(), ..Command::default() }, "");
        let running = self.container.exec(job.command).unwrap();
        let outcome = job.seen.outcome(running.wait().await);
        format!("{}{}", outcome.out, outcome.err)
    }

    async fn stops(&self, signal: Signal) -> i32 {
        self.running.signal(signal);
        self.running.wait().await.status.code()
    }
}

async fn settle() {
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
}

#[tokio::test(start_paused = true)]
async fn what_servers_say() {
    for (reference, script, expected) in [
        ("nginx:1.7.9", "wget -qO- localhost | grep title", "<title>Welcome to nginx!</title>\n"),
        ("nginx:1.7.9", "curl -sI localhost | head -2", "HTTP/1.1 200 OK\r\nServer: nginx/1.7.9\r\n"),
        ("nginx", "curl -s -o /dev/null -w '%{http_code}' localhost/nosuch", "404"),
        ("httpd:2.2.31", "wget -qO- localhost", "<html><body><h1>It works!</h1></body></html>\n"),
        ("httpd:2.2.31", "wget -qS -O /dev/null localhost 2>&1 | grep Server", "  Server: Apache/2.2.31 (Unix)\n"),
        ("wangyanglinux/myapp:v2", "wget -qO- localhost", "Hello MyApp | Version: v2 | <a href=\"hostname.html\">Pod Name</a>\n"),
        ("ikubernetes/myapp:v1", "wget -qO- localhost/hostname.html", "pod-1\n"),
        ("redis", "printf 'PING\\r\\nSET a 1\\r\\nGET a\\r\\nQUIT\\r\\n' | nc localhost 6379", "+PONG\r\n+OK\r\n$1\r\n1\r\n+OK\r\n"),
        ("redis", "redis-cli incr n; redis-cli get n", "1\n1\n"),
        ("gcr.io/google-samples/hello-app:1.0", "wget -qO- localhost:8080", "Hello, world!\nVersion: 1.0.0\nHostname: pod-1\n"),
        ("k8s.gcr.io/echoserver:1.4", "wget -qO- localhost:8080/x | grep -E 'Hostname|real path'", "Hostname: pod-1\n\treal path=/x\n"),
        (
            "prom/node-exporter",
            "wget -qO- localhost:9100/metrics | grep ^node_uname_info",
            "node_uname_info{machine=\"x86_64\",nodename=\"pod-1\",release=\"6.12.0-mini\",sysname=\"Linux\"} 1\n",
        ),
        (
            "tomcat:9.0.85",
            "wget -qO- localhost:8080; mkdir webapps/ROOT 2>/dev/null; mkdir -p /usr/local/tomcat/webapps/ROOT; echo hi > /usr/local/tomcat/webapps/ROOT/index.html; wget -qO- localhost:8080",
            "hi\nwget: server returned error: HTTP/1.1 404 \n",
        ),
    ] {
        let image = Box_::start(reference, &[], &[]);
        settle().await;
        let setup = "echo '127.0.0.1 localhost' > /etc/hosts; ";
        assert_eq!(image.asks(&format!("{setup}{script}")).await, expected, "{reference}: {script}");
    }
}

#[tokio::test(start_paused = true)]
async fn servers_are_told_to_stop() {
    let nginx = Box_::start("nginx", &[], &[]);
    settle().await;
    assert_eq!(nginx.asks("ps -o args | grep -c '^nginx: '").await, "2\n");
    assert_eq!(nginx.asks("nginx -s reload 2>&1 | cut -d' ' -f3,5-").await, "[notice] signal process started\n");
    // With the first process all others of the container are gone.
    nginx.asks("nginx -s quit").await;
    assert_eq!(nginx.running.wait().await.status, Status::Exited(0));
    let httpd = Box_::start("httpd", &[], &[]);
    settle().await;
    assert_eq!(httpd.stops(Signal::WINCH).await, 0);
    let pause = Box_::start("registry.k8s.io/pause:3.9", &[], &[]);
    settle().await;
    assert_eq!(pause.stops(Signal::TERM).await, 0);
}

#[tokio::test(start_paused = true)]
async fn nginx_does_what_is_configured() {
    let nginx = Box_::start("nginx", &["sh", "-c", "sleep 1; exec nginx -g 'daemon off;'"], &[]);
    let conf = "server { listen 8080; location / { root /data; } location = /hi { return 200 'hi\\n'; } location /back/ { proxy_pass http://127.0.0.1:8081/; } }\n\
                server { listen 8081; return 200 'behind'; }\n";
    nginx
        .asks(&format!("mkdir /data; echo data > /data/index.html; printf '{}' > /etc/nginx/conf.d/default.conf", conf.replace('\'', "\"")))
        .await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(
        nginx.asks("curl -s 127.0.0.1:8080; curl -s 127.0.0.1:8080/hi; curl -s 127.0.0.1:8080/back/x; curl -s 127.0.0.1; echo $?").await,
        "data\nhi\nbehind7\n"
    );
    assert_eq!(
        nginx.asks("echo 'server {' > /etc/nginx/conf.d/x.conf; nginx -t").await,
        "nginx: [emerg] unexpected end of file, expecting \"}\" in /etc/nginx/conf.d/x.conf:1\nnginx: configuration file /etc/nginx/nginx.conf test failed\n"
    );
    let (text, code) = runs(
        "nginx",
        &["sh", "-c", "echo 'server { location / { proxy_pass http://nosuch; } }' > /etc/nginx/conf.d/default.conf; nginx"],
        &[],
    )
    .await;
    assert_eq!(code, 1);
    assert!(text.ends_with("host not found in upstream \"nosuch\" in /etc/nginx/conf.d/default.conf:1\n"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn stress_finds_the_limit() {
    let image = Box_::start_with(
        "polinux/stress",
        &["stress", "--vm", "1", "--vm-bytes", "150M", "--vm-hang", "1"],
        &[],
        Limits { memory: 100 << 20, ..Limits::default() },
    );
    let exit = image.running.wait().await;
    let told = format!("{}{}", image.seen.out.text(), image.seen.err.text());
    assert!(told.starts_with("stress: info: [1] dispatching hogs: 0 cpu, 0 io, 1 vm, 0 hdd\n"), "{told}");
    assert!(exit.out_of_memory || told.contains("got signal 9"), "{exit:?} {told}");
    let fits = Box_::start_with(
        "polinux/stress",
        &["stress", "--vm", "1", "--vm-bytes", "150M", "--vm-hang", "1"],
        &[],
        Limits { memory: 200 << 20, ..Limits::default() },
    );
    settle().await;
    assert!(fits.running.ended().is_none());
    assert!(fits.container.usage().memory > 150 << 20);
}

#[tokio::test(start_paused = true)]
async fn liveness_lives_ten_seconds() {
    let image = Box_::start("k8s.gcr.io/liveness", &[], &[]);
    settle().await;
    assert_eq!(image.asks("wget -qO- 127.0.0.1:8080/healthz").await, "ok");
    tokio::time::sleep(std::time::Duration::from_secs(11)).await;
    assert_eq!(image.asks("wget -qO- 127.0.0.1:8080/healthz").await, "wget: server returned error: HTTP/1.1 500 Internal Server Error\n");
    let netexec = Box_::start("registry.k8s.io/e2e-test-images/agnhost:2.40", &["netexec", "--http-port=8081"], &[]);
    settle().await;
    assert_eq!(netexec.asks("wget -qO- 127.0.0.1:8081/hostname; wget -qO- '127.0.0.1:8081/echo?msg=a+b'").await, "pod-1a b");
    assert_eq!(netexec.asks("wget -qO- '127.0.0.1:8081/shell?cmd=echo+hi'").await, "{\"output\":\"hi\\n\"}");
}

async fn runs(reference: &str, args: &[&str], env: &[(&str, &str)]) -> (String, i32) {
    let image = Box_::start(reference, args, env);
    let Exit { status, .. } = image.running.wait().await;
    (format!("{}{}", image.seen.out.text(), image.seen.err.text()), status.code())
}

#[tokio::test(start_paused = true)]
async fn what_is_run_and_ends() {
    let (pi, code) = runs("perl:5.34.0", &["perl", "-Mbignum=bpi", "-wle", "print bpi(2000)"], &[]).await;
    assert_eq!((pi.len(), code), (2002, 0));
    assert!(pi.starts_with("3.14159265358979323846264338327950288419716939937510"), "{pi}");
    // The last of 2000 digits, rounded, as tables of pi have them: ...7565 0 | 9 at 1990 decimals and on.
    assert!(pi.contains("058209749445923078164062862089986280348253421170679"), "{pi}");
    assert_eq!(runs("perl", &["perl", "-Mbignum=bpi", "-wle", "print bpi(10)"], &[]).await, ("3.141592654\n".into(), 0));
    assert_eq!(runs("perl", &["perl", "-e", "print \"hi\\n\""], &[]).await, ("hi\n".into(), 0));
    assert_eq!(runs("python:3", &["python", "-c", "import time; time.sleep(1); print('hi', 1+1)"], &[]).await, ("hi 2\n".into(), 0));
    assert_eq!(runs("python:3", &["python3", "-c", "import sys; sys.exit(3)"], &[]).await, (String::new(), 3));
    let (text, code) = runs("mysql:5.7", &[], &[]).await;
    assert_eq!(code, 1);
    assert!(text.contains("You need to specify one of MYSQL_ROOT_PASSWORD"), "{text}");
    let (text, code) = runs("mysql", &[], &[]).await;
    assert_eq!(code, 1);
    assert!(text.contains("    - MYSQL_ROOT_PASSWORD\n"), "{text}");
    assert_eq!(runs("curlimages/curl", &["-s", "127.0.0.1"], &[]).await, (String::new(), 7));
    assert_eq!(runs("polinux/stress", &["stress", "--cpu", "1", "--timeout", "2"], &[]).await.1, 0);
}

#[tokio::test(start_paused = true)]
async fn mysql_greets() {
    let image = Box_::start("mysql:8.0", &[], &[("MYSQL_ROOT_PASSWORD", "x")]);
    settle().await;
    let greeting = image.asks("nc -w 1 127.0.0.1 3306 < /dev/null | strings").await;
    assert!(greeting.contains("8.0.36") && greeting.contains("caching_sha2_password"), "{greeting}");
}
