//! prom/node-exporter: numbers of its node, as far as a simulated one has them.

use futures::FutureExt;

use super::{
    Image, Reference, userland,
    web::{listen, resident, until},
};
use crate::{
    Ctx, Signal,
    applets::hand::http::{Answer, Asked, http_date},
    kernel::{Program, RELEASE, TOTAL_MEMORY},
};

pub(super) const PROGRAMS: &[(&str, Program)] = &[("node_exporter", |ctx| Box::pin(main(ctx)))];

const LATEST: &str = "1.7.0";
/// How the flags that it knows begin.
const FLAGS: &[&str] = &["--path.", "--collector", "--no-collector", "--web.", "--log.", "-collector", "-web."];

pub(super) fn image(of: &Reference) -> Option<Image> {
    if !of.is("node-exporter") && !of.is("node_exporter") {
        return None;
    }
    let files = userland::with(&userland::base(), [userland::program("/bin/node_exporter", "node_exporter")]);
    let image = Image::new(files, &["/bin/node_exporter"], &[]).exposing(&[9100]).sized(11 << 20);
    Some(Image { user: Some("65534".to_owned()), ..image }.resting(143))
}

async fn main(ctx: Ctx) -> i32 {
    let args = ctx.args().get(1..).unwrap_or_default();
    if args.iter().any(|arg| arg == "--version") {
        let _ = ctx.out(format!("node_exporter, version {LATEST} (branch: HEAD)\n")).await;
        return 0;
    }
    if let Some(flag) = args.iter().find(|arg| arg.starts_with('-') && !FLAGS.iter().any(|known| arg.starts_with(known))) {
        ctx.err(format!("node_exporter: error: unknown long flag '{flag}', try --help\n")).await;
        return 1;
    }
    let address = args.iter().find_map(|arg| arg.strip_prefix("--web.listen-address="));
    let port = address.and_then(|address| address.rsplit(':').next()).and_then(|port| port.parse().ok()).unwrap_or(9100);
    let stamp = ctx.now();
    ctx.err(format!(
        "ts={stamp} caller=node_exporter.go:192 level=info msg=\"Starting node_exporter\" version=\"(version={LATEST}, branch=HEAD)\"\nts={stamp} caller=tls_config.go:274 level=info msg=\"Listening on\" address=[::]:{port}\n"
    ))
    .await;
    if let Err(errno) = listen(&ctx, port, |ctx, asked| answer(ctx, asked).boxed()) {
        ctx.err(format!(
            "ts={stamp} caller=node_exporter.go:223 level=error err=\"listen tcp :{port}: bind: {}\"\n",
            errno.to_string().to_lowercase()
        ))
        .await;
        return 1;
    }
    let shown = ctx.args().join(" ");
    match ctx.reside(resident(shown, 14 << 20, until(&[Signal::TERM, Signal::INT], 143))).await {}
}

async fn answer(ctx: Ctx, asked: Option<Asked>) -> Answer {
    let date = http_date(ctx.now());
    match asked.map(|asked| asked.path()).as_deref() {
        Some("/") => {
            let page = "<html>\n<head><title>Node Exporter</title></head>\n<body>\n<h1>Node Exporter</h1>\n<p><a href=\"/metrics\">Metrics</a></p>\n</body>\n</html>\n";
            Answer::text(200, "OK", &[("Date", &date), ("Content-Type", "text/html; charset=UTF-8")], page)
        }
        Some("/metrics") => {
            Answer::text(200, "OK", &[("Date", &date), ("Content-Type", "text/plain; version=0.0.4; charset=utf-8")], metrics(&ctx))
        }
        _ => Answer::text(404, "Not Found", &[("Date", &date), ("Content-Type", "text/plain; charset=utf-8")], "404 page not found\n"),
    }
}

fn metrics(ctx: &Ctx) -> String {
    let processes = ctx.processes();
    let used: u64 = processes.iter().map(|process| process.memory).sum();
    let cpu: f64 = processes.iter().map(|process| process.cpu.as_secs_f64()).sum();
    let up = ctx.uptime().as_secs_f64();
    let now = ctx.now().as_second() as f64;
    let mut text = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, labels: &str, value: f64| {
        text += &format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name}{labels} {value}\n");
    };
    metric("node_boot_time_seconds", "gauge", "Node boot time, in unixtime.", "", (now - up).floor());
    metric("node_cpu_seconds_total", "counter", "Seconds the CPUs spent in each mode.", "{cpu=\"0\",mode=\"user\"}", cpu);
    metric("node_load1", "gauge", "1m load average.", "", 0.0);
    metric(
        "node_memory_MemAvailable_bytes",
        "gauge",
        "Memory information field MemAvailable_bytes.",
        "",
        TOTAL_MEMORY.saturating_sub(used) as f64,
    );
    metric("node_memory_MemFree_bytes", "gauge", "Memory information field MemFree_bytes.", "", TOTAL_MEMORY.saturating_sub(used) as f64);
    metric("node_memory_MemTotal_bytes", "gauge", "Memory information field MemTotal_bytes.", "", TOTAL_MEMORY as f64);
    metric("node_procs_running", "gauge", "Number of processes in runnable state.", "", 1.0);
    metric("node_time_seconds", "gauge", "System time in seconds since epoch (1970).", "", now);
    let name = ctx.hostname();
    metric(
        "node_uname_info",
        "gauge",
        "Labeled system information as provided by the uname system call.",
        &format!("{{machine=\"x86_64\",nodename=\"{name}\",release=\"{RELEASE}\",sysname=\"Linux\"}}"),
        1.0,
    );
    text
}
