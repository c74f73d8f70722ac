//! Files that a server shows below a directory.

use jiff::Timestamp;

use super::super::{Clock, Input, base, join};
use crate::{Ctx, Errno, files::Kind};

/// What a path is to a server.
#[derive(Debug)]
pub(crate) enum Document {
    /// A file, to be read: its size, when it was changed, its type.
    File(Input, u64, Timestamp, &'static str),
    /// A directory that was asked for without a slash.
    Moved,
    /// A directory without an index, by its path here.
    Directory(String),
    /// It is not there: the path here, and why.
    Missing(String, Errno),
}

/// What a path leads to below a directory; of a directory the first of `indexes` that is there.
pub(crate) async fn document(ctx: &Ctx, root: &str, path: &str, indexes: &[&str]) -> Document {
    let mut clean: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = clean.pop(),
            part => clean.push(part),
        }
    }
    let file = join(root, &clean.join("/"));
    let file = file.trim_end_matches('/').to_owned();
    match ctx.stat(&file) {
        Err(errno) => Document::Missing(file, errno),
        Ok(stat) if stat.kind == Kind::Directory => {
            if !path.ends_with('/') {
                return Document::Moved;
            }
            for index in indexes {
                let index = join(&file, index);
                if ctx.stat(&index).is_ok_and(|stat| stat.kind == Kind::File) {
                    return open(ctx, index).await;
                }
            }
            Document::Directory(file)
        }
        Ok(_) if path.ends_with('/') => Document::Missing(format!("{file}/"), Errno::ENOTDIR),
        Ok(_) => open(ctx, file).await,
    }
}

async fn open(ctx: &Ctx, file: String) -> Document {
    let opened = match Input::open(ctx, &file).await {
        Ok(input) => ctx.fstat(input.fd()).map(|stat| (input, stat)),
        Err(errno) => Err(errno),
    };
    match opened {
        Ok((input, stat)) => Document::File(input, stat.size, stat.modified, content_type(&file)),
        Err(errno) => Document::Missing(file, errno),
    }
}

/// The type of a file by its name.
fn content_type(file: &str) -> &'static str {
    match base(file).rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" | "htm" | "shtml" => "text/html",
        "css" => "text/css",
        "xml" => "text/xml",
        "txt" => "text/plain",
        "js" => "application/javascript",
        "json" => "application/json",
        "gif" => "image/gif",
        "jpeg" | "jpg" => "image/jpeg",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "ico" => "image/x-icon",
        "pdf" => "application/pdf",
        "gz" => "application/gzip",
        "zip" => "application/zip",
        _ => "application/octet-stream",
    }
}

/// A time as HTTP writes it.
pub(crate) fn http_date(time: Timestamp) -> String {
    Clock::utc().format(time, "%a, %d %b %Y %H:%M:%S GMT")
}
