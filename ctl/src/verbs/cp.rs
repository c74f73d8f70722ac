//! `cp`: copies files into a container and out of it, with the help of the `tar` that is in there.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use futures::{StreamExt, stream};
use serde_json::Value;
use tokio::{
    io::{AsyncWrite, duplex, sink, stderr, stdout},
    sync::mpsc,
    task::spawn_blocking,
};
use tokio_util::io::SyncIoBridge;

use crate::{
    context::Context,
    error::{Error, Result, usage},
    pods,
    print::notice,
    remote::{Io, Wanted, talk},
    server::{Server, escape},
    tar::{Entry, Kind, Reader, Writer},
};

/// As much as is sent at once, in bytes.
const CHUNK: usize = 32 * 1024;

/// Copy files and directories to and from containers.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// From where and to where: [[NAMESPACE/]POD:]PATH
    words: Vec<String>,
    /// In this container.
    #[arg(long, short, value_name = "NAME")]
    container: Option<String>,
    /// Who owns a file and what may be done with it is not kept in the container.
    #[arg(long)]
    no_preserve: bool,
    /// How often a copy from a container is gone on with when it breaks off; negative: for ever.
    #[arg(long, value_name = "COUNT", default_value_t = 0, allow_hyphen_values = true)]
    retries: i64,
}

/// A place, here or in a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    /// Namespace, if one is said, and name.
    pod: Option<(Option<String>, String)>,
    path: String,
}

/// The container that is copied to or from.
struct There<'a> {
    server: &'a Server,
    pod: Value,
    container: String,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<()> {
    let [from, to] = &args.words[..] else { return Err(usage("source and destination are required")) };
    let (from, to) = (place(from)?, place(to)?);
    if from.pod.is_some() && to.pod.is_some() {
        return Err(usage("one of src or dest must be a local file specification"));
    }
    if from.path.is_empty() || to.path.is_empty() {
        return Err(usage("filepath can not be empty"));
    }
    match (&from.pod, &to.pod) {
        (Some(pod), _) => copy_from(&args, &There::find(&args, context, pod).await?, &from.path, &to.path).await,
        (_, Some(pod)) => {
            if fs::metadata(&from.path).is_err() {
                return Err(usage(format!("{} doesn't exist in local filesystem", from.path)));
            }
            copy_to(&args, &There::find(&args, context, pod).await?, &from.path, &to.path).await
        }
        _ => Err(usage("one of src or dest must be a remote file specification")),
    }
}

/// `[[NAMESPACE/]POD:]PATH`.
fn place(word: &str) -> Result<Place> {
    let path = |text: &str| if text.len() > 1 { text.trim_end_matches('/').to_owned() } else { text.to_owned() };
    let form = || usage("filespec must match the canonical format: [[namespace/]pod:]file/path");
    let Some((pod, file)) = word.split_once(':') else { return Ok(Place { pod: None, path: path(word) }) };
    let pod = match pod.split('/').collect::<Vec<_>>()[..] {
        [""] => return Err(form()),
        [name] => (None, name.to_owned()),
        [namespace, name] => (Some(namespace.to_owned()), name.to_owned()),
        _ => return Err(form()),
    };
    Ok(Place { pod: Some(pod), path: path(&file.replace('\\', "/")) })
}

impl<'a> There<'a> {
    async fn find(args: &Args, context: &'a Context, (namespace, name): &(Option<String>, String)) -> Result<Self> {
        let server = context.server().await?;
        let namespace = match namespace.as_deref().filter(|namespace| !namespace.is_empty()) {
            Some(namespace) => namespace,
            None => context.namespace().await?,
        };
        let pod = server.get(&format!("/api/v1/namespaces/{}/pods/{}", escape(namespace), escape(name))).await?;
        if pods::is_over(&pod) {
            let phase = crate::value::text(&pod["status"]["phase"]);
            return Err(usage(format!("cannot exec into a container in a completed pod; current phase is {phase}")));
        }
        let container = match &args.container {
            Some(container) => container.clone(),
            None => pods::default_container(&pod, false)?,
        };
        Ok(Self { server, pod, container })
    }

    async fn exec(
        &self,
        command: &[String],
        input: Option<mpsc::Receiver<Vec<u8>>>,
        out: &mut (dyn AsyncWrite + Send + Unpin),
        err: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<()> {
        let wanted = Wanted { stdin: input.is_some(), stderr: true, tty: false };
        let path = wanted.path(&self.pod, "exec", &self.container, command);
        talk(self.server, &path, Io { input, out, err, sizes: stream::pending().boxed() }).await
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

async fn copy_to(args: &Args, there: &There<'_>, from: &str, to: &str) -> Result<()> {
    // Into a folder, if it is one.
    let is_folder = there.exec(&words(&["test", "-d", to]), None, &mut sink(), &mut sink()).await.is_ok();
    let to = if is_folder { join(to, base(&clean(from))) } else { to.to_owned() };
    let to = clean(&to);
    let mut command = if args.no_preserve {
        words(&["tar", "--no-same-permissions", "--no-same-owner", "-xmf", "-"])
    } else {
        words(&["tar", "-xmf", "-"])
    };
    command.extend(words(&["-C", parent(&to)]));
    let (send, input) = mpsc::channel(4);
    let (path, name) = (PathBuf::from(from), base(&to).to_owned());
    let packing = spawn_blocking(move || pack(&path, &name, Sender(send)));
    let executed = there.exec(&command, Some(input), &mut stdout(), &mut stderr()).await;
    let packed = packing.await.map_err(|error| usage(error.to_string()))?;
    executed?;
    packed.map_err(|error| usage(error.to_string()))
}

/// Hands what is written to whoever sends it.
struct Sender(mpsc::Sender<Vec<u8>>);

impl io::Write for Sender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = &bytes[..bytes.len().min(CHUNK)];
        self.0.blocking_send(bytes.to_vec()).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Packs a file, or a folder and all that is in it, under a name of its own.
fn pack(path: &Path, name: &str, to: impl io::Write) -> io::Result<()> {
    let mut writer = Writer::new(io::BufWriter::with_capacity(CHUNK, to));
    add(path, name, &mut writer)?;
    writer.finish().map(drop)
}

fn add(path: &Path, name: &str, writer: &mut Writer<impl io::Write>) -> io::Result<()> {
    let about = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let metadata = fs::symlink_metadata(path).map_err(about)?;
    let entry = |kind| Entry {
        name: name.to_owned(),
        kind,
        mode: metadata.permissions().mode() & 0o7777,
        changed: u64::try_from(metadata.mtime()).unwrap_or_default(),
        owner: (metadata.uid(), metadata.gid()),
    };
    if metadata.is_dir() {
        let mut names = fs::read_dir(path).map_err(about)?.map(|file| file.map(|file| file.file_name())).collect::<io::Result<Vec<_>>>()?;
        names.sort();
        if names.is_empty() {
            writer.add(&entry(Kind::Folder), &mut io::empty())?;
        }
        return names.iter().try_for_each(|file| add(&path.join(file), &join(name, &file.to_string_lossy()), writer));
    }
    if metadata.is_symlink() {
        let leads = fs::read_link(path).map_err(about)?.to_string_lossy().into_owned();
        return writer.add(&entry(Kind::Link(leads)), &mut io::empty());
    }
    let mut file = fs::File::open(path).map_err(about)?;
    writer.add(&entry(Kind::File(metadata.len())), &mut file)
}

async fn copy_from(args: &Args, there: &There<'_>, from: &str, to: &str) -> Result<()> {
    let (archive, unpacked) = duplex(CHUNK);
    let (prefix, to, source) = (without_shortcuts(&clean(from.trim_start_matches('/'))).to_owned(), PathBuf::from(to), from.to_owned());
    let pod = there.pod.clone();
    let unpacking = spawn_blocking(move || unpack(SyncIoBridge::new(unpacked), &prefix, &to, &pod, &source));
    let executed = fetch(args, there, from, archive).await;
    let unpacked = unpacking.await.map_err(|error| usage(error.to_string()))?;
    match executed {
        // It was not wanted any more; why not is what matters.
        Err(Error::Silent) => unpacked,
        executed => executed.and(unpacked),
    }
}

/// Has the archive written, and goes on where it broke off as often as that is wanted.
async fn fetch(args: &Args, there: &There<'_>, from: &str, archive: impl AsyncWrite + Send + Unpin) -> Result<()> {
    let mut counted = Counted { to: archive, count: 0 };
    let mut retries = 0;
    loop {
        let command = match counted.count {
            0 => words(&["tar", "cf", "-", from]),
            count => words(&["sh", "-c", &format!("tar cf - {from} | tail -c+{}", count + 1)]),
        };
        // What tar has to say is no part of the archive; upstream shows it as output.
        let fetched = there.exec(&command, None, &mut counted, &mut stdout()).await;
        let broken = matches!(&fetched, Err(Error::Usage(_) | Error::Unreachable(_)));
        if !broken || (args.retries >= 0 && retries >= args.retries) {
            return fetched;
        }
        retries += 1;
        notice(&format!("Resuming copy at {} bytes, retry {retries}/{}", counted.count, args.retries));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Counts what is written.
struct Counted<W> {
    to: W,
    count: u64,
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Counted<W> {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        let written = std::task::ready!(std::pin::Pin::new(&mut self.to).poll_write(context, bytes))?;
        self.count += written as u64;
        std::task::Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: std::pin::Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.to).poll_flush(context)
    }

    fn poll_shutdown(mut self: std::pin::Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.to).poll_shutdown(context)
    }
}

/// Unpacks what lies under `prefix` in an archive to `to`, and nothing beside it.
fn unpack(archive: impl io::Read, prefix: &str, to: &Path, pod: &Value, source: &str) -> Result<()> {
    let complain = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => usage("unexpected EOF"),
        _ => usage(error.to_string()),
    };
    let mut reader = Reader::new(archive);
    let mut told = false;
    while let Some(entry) = reader.next().map_err(complain)? {
        let Some(below) = entry.name.strip_prefix(prefix) else { return Err(usage("tar contents corrupted")) };
        let Some(path) = inside(to, below) else {
            let path = to.join(below.trim_start_matches('/'));
            notice(&format!("warning: file {:?} is outside target destination, skipping", path.display().to_string()));
            continue;
        };
        let about = |error: io::Error| usage(format!("open {}: {}", path.display(), reason(&error)));
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(about)?;
        }
        match entry.kind {
            Kind::Folder => fs::create_dir_all(&path).map_err(about)?,
            Kind::Link(leads) => {
                if !std::mem::replace(&mut told, true) {
                    let (namespace, name) = (crate::value::namespace(pod).unwrap_or_default(), crate::value::name(pod));
                    notice(&format!(
                        "warning: skipping symlink: {:?} -> {leads:?} (consider using \"mini-ctl exec -n {namespace:?} {name:?} -- tar cf - {source:?} | tar xf -\")",
                        path.display().to_string()
                    ));
                }
            }
            Kind::File(_) | Kind::Other(_) => {
                let mut file = fs::File::create(&path).map_err(about)?;
                io::copy(&mut reader, &mut file).map_err(complain)?;
            }
        }
    }
    // An archive may be followed by anything; whoever sends it is not to be cut off.
    io::copy(&mut reader.into_inner(), &mut io::sink()).map(drop).map_err(complain)
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "is a directory".to_owned(),
        io::ErrorKind::NotADirectory => "not a directory".to_owned(),
        _ => error.to_string(),
    }
}

/// Where something below `to` lies; `None` where that is not below it.
fn inside(to: &Path, below: &str) -> Option<PathBuf> {
    let below = clean(below.trim_start_matches('/'));
    match below.as_str() {
        "." => Some(to.to_path_buf()),
        below if below == ".." || below.starts_with("../") => None,
        below => Some(to.join(below)),
    }
}

/// A path without what changes nothing, by its text alone. Source: Go's `path.Clean`.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.join("/")) {
        (true, rest) => format!("/{rest}"),
        (false, rest) if rest.is_empty() => ".".to_owned(),
        (false, rest) => rest,
    }
}

/// What is left of a clean path that leads out of where it begins.
fn without_shortcuts(path: &str) -> &str {
    let mut rest = path;
    while let Some(inner) = rest.strip_prefix("../") {
        rest = inner;
    }
    if rest == ".." || rest == "." { "" } else { rest }
}

fn join(folder: &str, name: &str) -> String {
    clean(&format!("{folder}/{name}"))
}

fn base(path: &str) -> &str {
    path.rsplit('/').find(|part| !part.is_empty()).unwrap_or("/")
}

fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        None => ".",
        Some(("", _)) => "/",
        Some((parent, _)) => parent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        let here = |path: &str| Ok(Place { pod: None, path: path.to_owned() });
        let there = |namespace: Option<&str>, path: &str| {
            Ok(Place { pod: Some((namespace.map(str::to_owned), "p".to_owned())), path: path.to_owned() })
        };
        let read = |word: &str| place(word).map_err(|error| error.to_string());
        assert_eq!(read("./www/"), here("./www"));
        assert_eq!(read("/"), here("/"));
        assert_eq!(read("p:/var/www/"), there(None, "/var/www"));
        assert_eq!(read("n/p:x"), there(Some("n"), "x"));
        assert_eq!(read("p:"), there(None, ""));
        let form = "error: filespec must match the canonical format: [[namespace/]pod:]file/path";
        for wrong in [":x", "a/b/c:x"] {
            assert_eq!(read(wrong), Err(form.to_owned()), "{wrong}");
        }
    }

    #[test]
    fn paths_are_cleaned() {
        for (path, expected) in
            [("a/./b//c", "a/b/c"), ("/../a", "/a"), ("a/../..", ".."), ("../../a", "../../a"), ("", "."), ("/", "/"), ("a/..", ".")]
        {
            assert_eq!(clean(path), expected, "{path}");
        }
        assert_eq!((base("/a/b"), base("/"), parent("/a"), parent("a"), parent("a/b")), ("b", "/", "/", ".", "a"));
        assert_eq!((without_shortcuts("../../a"), without_shortcuts(".."), without_shortcuts("a/../b")), ("a", "", "a/../b"));
    }

    #[test]
    fn a_folder_goes_there_and_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("in/empty")).unwrap();
        fs::write(path("in/a"), "hello").unwrap();
        fs::write(path("in/big"), vec![7; 100_000]).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", path("in/link")).unwrap();
        let mut archive = Vec::new();
        pack(&path("in"), "www", &mut archive).unwrap();
        unpack(&archive[..], "www", &path("out"), &Value::Null, "/www").unwrap();
        assert_eq!(fs::read(path("out/a")).unwrap(), b"hello");
        assert_eq!(fs::read(path("out/big")).unwrap().len(), 100_000);
        assert!(path("out/empty").is_dir());
        assert!(!path("out/link").exists() && !path("out/link").is_symlink(), "links are skipped");
        let wrong = unpack(&archive[..], "other", &path("elsewhere"), &Value::Null, "/other").unwrap_err();
        assert_eq!(wrong.to_string(), "error: tar contents corrupted");
    }

    #[test]
    fn nothing_is_written_beside_the_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut writer = Writer::new(Vec::new());
        for name in ["www/../../evil", "www/a/../well", "www//etc/passwd"] {
            let entry = Entry { name: name.into(), kind: Kind::File(1), mode: 0o644, changed: 0, owner: (0, 0) };
            writer.add(&entry, &mut &b"x"[..]).unwrap();
        }
        unpack(&writer.finish().unwrap()[..], "www", &path("in/out"), &Value::Null, "/www").unwrap();
        assert!(!path("evil").exists() && !path("in/evil").exists());
        assert!(path("in/out/well").exists() && path("in/out/etc/passwd").exists());
    }
}
