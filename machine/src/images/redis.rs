//! redis: keys and values over its own protocol, and `redis-cli` to talk with it.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use parking_lot::Mutex;
use tokio::time::{Duration, Instant};

use super::{
    Image, Reference, userland,
    web::{resident, until},
};
use crate::{
    Ctx, Errno, Signal,
    applets::hand::{Clock, Input},
    kernel::{Fd, Program},
    net::Connection,
};

pub(super) const PROGRAMS: &[(&str, Program)] =
    &[("redis-server", |ctx| Box::pin(server(ctx))), ("redis-cli", |ctx| Box::pin(client(ctx)))];

const PORT: u16 = 6379;
const LATEST: &str = "7.2.4";
/// The most that all keys and values may be.
const MOST: usize = 4 << 20;
/// The longest one may be.
const LONGEST: usize = 512 << 10;

pub(super) fn image(of: &Reference) -> Option<Image> {
    if !of.is("redis") {
        return None;
    }
    let files = ["redis-server", "redis-cli"].map(|name| userland::program(&format!("/usr/local/bin/{name}"), name));
    let files = userland::with(
        &userland::base(),
        files.into_iter().chain([userland::program("/bin/bash", "bash"), crate::files::Item::directory("/data", 0o755)]),
    );
    let image =
        Image::new(files, &[], &["redis-server"]).with_env(&[("REDIS_VERSION", of.version(LATEST))]).exposing(&[PORT]).sized(39 << 20);
    Some(Image { cwd: "/data".to_owned(), ..image }.resting(0))
}

/// A value, and when it is forgotten.
type Entry = (Vec<u8>, Option<Instant>);

#[derive(Default)]
struct Store {
    entries: BTreeMap<Vec<u8>, Entry>,
    size: usize,
    commands: u64,
    connections: u64,
}

impl Store {
    fn live(&mut self, key: &[u8]) -> Option<&mut Entry> {
        if self.entries.get(key).is_some_and(|(_, until)| until.is_some_and(|until| until <= Instant::now())) {
            self.remove(key);
        }
        self.entries.get_mut(key)
    }

    fn remove(&mut self, key: &[u8]) -> bool {
        match self.entries.remove(key) {
            Some((value, _)) => {
                self.size -= key.len() + value.len();
                true
            }
            None => false,
        }
    }

    fn put(&mut self, key: &[u8], value: Vec<u8>, until: Option<Instant>) -> Result<(), Reply> {
        self.remove(key);
        if self.size + key.len() + value.len() > MOST {
            return Err(Reply::Error("OOM command not allowed when used memory > 'maxmemory'.".to_owned()));
        }
        self.size += key.len() + value.len();
        self.entries.insert(key.to_vec(), (value, until));
        Ok(())
    }
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Reply {
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Option<Vec<u8>>),
    List(Vec<Vec<u8>>),
}

impl Reply {
    fn bytes(&self) -> Vec<u8> {
        let bulk = |bytes: &[u8]| [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        match self {
            Self::Simple(text) => format!("+{text}\r\n").into_bytes(),
            Self::Error(text) => format!("-{text}\r\n").into_bytes(),
            Self::Integer(number) => format!(":{number}\r\n").into_bytes(),
            Self::Bulk(None) => b"$-1\r\n".to_vec(),
            Self::Bulk(Some(bytes)) => bulk(bytes),
            Self::List(items) => {
                [format!("*{}\r\n", items.len()).into_bytes(), items.iter().flat_map(|item| bulk(item)).collect()].concat()
            }
        }
    }

    fn ok() -> Self {
        Self::Simple("OK".to_owned())
    }
}

/// What a command comes to.
fn answer(store: &mut Store, words: &[Vec<u8>], version: &str) -> Reply {
    store.commands += 1;
    let name = String::from_utf8_lossy(&words[0]).to_ascii_lowercase();
    let wrong = || Reply::Error(format!("ERR wrong number of arguments for '{name}' command"));
    let not_integer = || Reply::Error("ERR value is not an integer or out of range".to_owned());
    let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<i64>().ok());
    let args = &words[1..];
    match (name.as_str(), args) {
        ("ping", []) => Reply::Simple("PONG".to_owned()),
        ("ping" | "echo", [text]) => Reply::Bulk(Some(text.clone())),
        ("set", [key, value, options @ ..]) => {
            let until = match options {
                [] => None,
                [unit, time] => match (String::from_utf8_lossy(unit).to_ascii_lowercase().as_str(), number(time)) {
                    ("ex", Some(seconds)) if seconds > 0 => Instant::now().checked_add(Duration::from_secs(seconds as u64)),
                    ("px", Some(millis)) if millis > 0 => Instant::now().checked_add(Duration::from_millis(millis as u64)),
                    _ => return Reply::Error("ERR syntax error".to_owned()),
                },
                _ => return Reply::Error("ERR syntax error".to_owned()),
            };
            store.put(key, value.clone(), until).err().unwrap_or_else(Reply::ok)
        }
        ("get", [key]) => Reply::Bulk(store.live(key).map(|(value, _)| value.clone())),
        ("del", keys) if !keys.is_empty() => Reply::Integer(keys.iter().filter(|key| store.remove(key)).count() as i64),
        ("exists", keys) if !keys.is_empty() => Reply::Integer(keys.iter().filter(|key| store.live(key).is_some()).count() as i64),
        ("incr" | "decr", [_]) | ("incrby" | "decrby", [_, _]) => {
            let by = match args.get(1) {
                Some(by) => match number(by) {
                    Some(by) => by,
                    None => return not_integer(),
                },
                None => 1,
            };
            let by = if name.starts_with("decr") { by.checked_neg() } else { Some(by) };
            let (before, until) = store.live(&args[0]).map_or((Some(0), None), |(value, until)| (number(value), *until));
            let Some(after) = before.zip(by).and_then(|(before, by)| before.checked_add(by)) else { return not_integer() };
            store.put(&args[0], after.to_string().into_bytes(), until).err().unwrap_or(Reply::Integer(after))
        }
        ("expire", [key, seconds]) => match (number(seconds), store.live(key)) {
            (None, _) => not_integer(),
            (Some(_), None) => Reply::Integer(0),
            (Some(seconds), Some((_, until))) => {
                *until = Instant::now().checked_add(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
                Reply::Integer(1)
            }
        },
        ("ttl", [key]) => Reply::Integer(
            store
                .live(key)
                .map_or(-2, |(_, until)| until.map_or(-1, |until| until.saturating_duration_since(Instant::now()).as_secs() as i64)),
        ),
        ("keys", [pattern]) => {
            let pattern = crate::applets::hand::wildcard(&String::from_utf8_lossy(pattern), false, false).ok();
            Reply::List(store.entries.keys().filter(|key| pattern.as_ref().is_some_and(|pattern| pattern.is_match(key))).cloned().collect())
        }
        ("dbsize", []) => Reply::Integer(store.entries.len() as i64),
        ("flushall" | "flushdb", _) => {
            store.entries.clear();
            store.size = 0;
            Reply::ok()
        }
        ("select", [_]) | ("auth", [_]) | ("client" | "save" | "bgsave", _) => Reply::ok(),
        ("command" | "config", _) => Reply::List(Vec::new()),
        ("info", _) => Reply::Bulk(Some(info(store, version).into_bytes())),
        (
            "ping" | "echo" | "set" | "get" | "del" | "exists" | "incr" | "decr" | "expire" | "ttl" | "keys" | "dbsize" | "select" | "auth",
            _,
        ) => wrong(),
        _ => {
            let begins: Vec<String> = args.iter().map(|arg| format!("'{}' ", String::from_utf8_lossy(arg))).collect();
            Reply::Error(format!(
                "ERR unknown command '{}', with args beginning with: {}",
                String::from_utf8_lossy(&words[0]),
                begins.concat()
            ))
        }
    }
}

fn info(store: &Store, version: &str) -> String {
    let keys = if store.entries.is_empty() {
        String::new()
    } else {
        format!(
            "db0:keys={},expires={},avg_ttl=0\r\n",
            store.entries.len(),
            store.entries.values().filter(|(_, until)| until.is_some()).count()
        )
    };
    format!(
        "# Server\r\nredis_version:{version}\r\nredis_mode:standalone\r\nos:Linux\r\narch_bits:64\r\nprocess_id:1\r\ntcp_port:{PORT}\r\n\r\n# Clients\r\nconnected_clients:1\r\n\r\n# Memory\r\nused_memory:{}\r\n\r\n# Stats\r\ntotal_connections_received:{}\r\ntotal_commands_processed:{}\r\n\r\n# Replication\r\nrole:master\r\nconnected_slaves:0\r\n\r\n# Keyspace\r\n{keys}",
        store.size, store.connections, store.commands
    )
}

/// The words of the next command, of either spelling. `None`: there is none.
async fn command(input: &mut Input) -> Result<Option<Vec<Vec<u8>>>, Errno> {
    let Some(line) = input.line().await? else { return Ok(None) };
    let line = String::from_utf8_lossy(&line).trim_end().to_owned();
    let Some(count) = line.strip_prefix('*') else {
        return Ok(Some(line.split_whitespace().map(|word| word.as_bytes().to_vec()).collect()));
    };
    let count: usize = count.parse().map_err(|_| Errno::EINVAL)?;
    let mut words = Vec::new();
    for _ in 0..count.min(1024) {
        let header = input.line().await?.ok_or(Errno::ECONNRESET)?;
        let length: usize =
            String::from_utf8_lossy(&header).trim_end().strip_prefix('$').and_then(|length| length.parse().ok()).ok_or(Errno::EINVAL)?;
        if length > LONGEST {
            return Err(Errno::EINVAL);
        }
        words.push(input.exactly(length).await?);
        input.line().await?;
    }
    Ok(Some(words))
}

async fn serve(ctx: Ctx, connection: Connection, store: Arc<Mutex<Store>>, version: String) {
    let Ok(fd) = ctx.add_connection(connection) else { return };
    let mut input = Input::own(&ctx, fd);
    store.lock().connections += 1;
    loop {
        let reply = match command(&mut input).await {
            Ok(Some(words)) if words.is_empty() => continue,
            Ok(Some(words)) if words[0].eq_ignore_ascii_case(b"quit") => {
                let _ = ctx.write_all(fd, &Reply::ok().bytes()).await;
                return;
            }
            Ok(Some(words)) => answer(&mut store.lock(), &words, &version),
            Err(Errno::EINVAL) => {
                let _ = ctx.write_all(fd, &Reply::Error("ERR Protocol error".to_owned()).bytes()).await;
                return;
            }
            _ => return,
        };
        if ctx.write_all(fd, &reply.bytes()).await.is_err() {
            return;
        }
    }
}

async fn server(ctx: Ctx) -> i32 {
    let version = ctx.var("REDIS_VERSION").unwrap_or(LATEST).to_owned();
    if ctx.args().iter().any(|arg| arg == "-v" || arg == "--version") {
        let _ = ctx.out(format!("Redis server v={version} sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=0\n")).await;
        return 0;
    }
    let port = ctx
        .args()
        .iter()
        .position(|arg| arg == "--port")
        .and_then(|at| ctx.args().get(at + 1))
        .and_then(|port| port.parse().ok())
        .unwrap_or(PORT);
    let pid = ctx.pid();
    let stamp = |role: char, sign: char| format!("{pid}:{role} {} {sign}", Clock::of(&ctx).format(ctx.now(), "%d %b %Y %H:%M:%S.000"));
    let lines = [
        format!("{} oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo", stamp('C', '*')),
        format!("{} Redis version={version}, bits=64, commit=00000000, modified=0, pid={pid}, just started", stamp('C', '*')),
        format!("{} Running mode=standalone, port={port}.", stamp('M', '*')),
        format!("{} Server initialized", stamp('M', '*')),
        format!("{} Ready to accept connections tcp", stamp('M', '*')),
    ];
    let store = Arc::<Mutex<Store>>::default();
    let listening = ctx.serve(SocketAddr::from(([0, 0, 0, 0], port)), move |ctx, connection| {
        Box::pin(serve(ctx, connection, store.clone(), version.clone()))
    });
    if let Err(errno) = listening {
        let _ =
            ctx.out(format!("{} Warning: Could not create server TCP listening socket *:{port}: bind: {errno}\n", stamp('M', '#'))).await;
        return 1;
    }
    let _ = ctx.out(format!("{}\n", lines.join("\n"))).await;
    match ctx.reside(resident(format!("redis-server *:{port}"), 8 << 20, until(&[Signal::TERM, Signal::INT], 0))).await {}
}

/// An answer as `redis-cli` shows it, read from a connection.
async fn shown(input: &mut Input, plain: bool) -> Result<String, Errno> {
    let line = input.line().await?.ok_or(Errno::ECONNRESET)?;
    let line = String::from_utf8_lossy(&line).trim_end().to_owned();
    let (kind, rest) = line.split_at_checked(1).ok_or(Errno::EINVAL)?;
    Ok(match kind {
        "+" => rest.to_owned(),
        "-" => {
            if plain {
                rest.to_owned()
            } else {
                format!("(error) {rest}")
            }
        }
        ":" => {
            if plain {
                rest.to_owned()
            } else {
                format!("(integer) {rest}")
            }
        }
        "$" => bulk(input, rest, plain).await?,
        "*" => {
            let mut items = Vec::new();
            for at in 1..=rest.parse::<usize>().unwrap_or(0).min(1 << 16) {
                let header = input.line().await?.ok_or(Errno::ECONNRESET)?;
                let item = bulk(input, String::from_utf8_lossy(&header).trim_end().trim_start_matches(['$', ':', '+']), plain).await?;
                items.push(if plain { item } else { format!("{at}) {item}") });
            }
            if items.is_empty() && !plain { "(empty array)".to_owned() } else { items.join("\n") }
        }
        _ => return Err(Errno::EINVAL),
    })
}

async fn bulk(input: &mut Input, length: &str, plain: bool) -> Result<String, Errno> {
    let Ok(length) = length.parse::<usize>() else { return Ok(if plain { String::new() } else { "(nil)".to_owned() }) };
    let bytes = input.exactly(length.min(LONGEST)).await?;
    input.line().await?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(if plain {
        text
    } else if text.contains('\n') {
        text.replace("\r\n", "\n")
    } else {
        format!("\"{text}\"")
    })
}

async fn client(ctx: Ctx) -> i32 {
    let (mut host, mut port) = ("127.0.0.1".to_owned(), PORT);
    let mut rest = ctx.args().iter().skip(1).cloned().peekable();
    while let Some(option) = rest.next_if(|arg| arg.starts_with('-')) {
        let value = if option == "-h" || option == "-p" || option == "-a" || option == "-n" {
            rest.next().unwrap_or_default()
        } else {
            String::new()
        };
        match option.as_str() {
            "-h" => host = value,
            "-p" => port = value.parse().unwrap_or(PORT),
            _ => {}
        }
    }
    let words: Vec<String> = rest.collect();
    let fd = match connect(&ctx, &host, port).await {
        Ok(fd) => fd,
        Err(why) => {
            ctx.err(format!("Could not connect to Redis at {host}:{port}: {why}\n")).await;
            return 1;
        }
    };
    let mut input = Input::own(&ctx, fd);
    let plain = !ctx.is_terminal(1);
    if !words.is_empty() {
        return i32::from(!ask(&ctx, fd, &mut input, &words, plain).await);
    }
    let prompt = if ctx.is_terminal(0) { format!("{host}:{port}> ") } else { String::new() };
    loop {
        let _ = ctx.out(&prompt).await;
        let line = ctx.read_line(0, 64 << 10).await.unwrap_or_default();
        if line.is_empty() {
            return 0;
        }
        let words: Vec<String> = String::from_utf8_lossy(&line).split_whitespace().map(|word| word.trim_matches('"').to_owned()).collect();
        match words.first().map(String::as_str) {
            None => {}
            Some("exit" | "quit") => return 0,
            Some(_) if ask(&ctx, fd, &mut input, &words, plain).await => {}
            Some(_) => return 1,
        }
    }
}

async fn connect(ctx: &Ctx, host: &str, port: u16) -> Result<Fd, String> {
    let found = ctx.resolve(host).await.map_err(|_| "Name or service not known".to_owned())?;
    let address = found.addresses.first().ok_or("Name or service not known")?;
    ctx.connect(SocketAddr::new(*address, port)).await.map_err(|errno| errno.to_string())
}

async fn ask(ctx: &Ctx, fd: Fd, input: &mut Input, words: &[String], plain: bool) -> bool {
    let request = Reply::List(words.iter().map(|word| word.clone().into_bytes()).collect()).bytes();
    let shown = match ctx.write_all(fd, &request).await {
        Ok(()) => shown(input, plain).await,
        Err(errno) => Err(errno),
    };
    match shown {
        Ok(text) => ctx.out(format!("{text}\n")).await.is_ok(),
        Err(errno) => {
            ctx.err(format!("Error: {errno}\n")).await;
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn commands_and_answers() {
        let mut store = Store::default();
        let mut ask = |text: &str| {
            String::from_utf8(answer(&mut store, &text.split(' ').map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>(), "7").bytes())
                .unwrap()
        };
        for (command, expected) in [
            ("PING", "+PONG\r\n"),
            ("set a 1", "+OK\r\n"),
            ("GET a", "$1\r\n1\r\n"),
            ("GET b", "$-1\r\n"),
            ("INCR a", ":2\r\n"),
            ("SET t x EX 5", "+OK\r\n"),
            ("TTL t", ":5\r\n"),
            ("KEYS *", "*2\r\n$1\r\na\r\n$1\r\nt\r\n"),
            ("INCR t", "-ERR value is not an integer or out of range\r\n"),
            ("DEL a b", ":1\r\n"),
            ("GET", "-ERR wrong number of arguments for 'get' command\r\n"),
            ("nonsense x", "-ERR unknown command 'nonsense', with args beginning with: 'x' \r\n"),
        ] {
            assert_eq!(ask(command), expected, "{command}");
        }
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!(ask("GET t"), "$-1\r\n", "its time is over");
    }
}
