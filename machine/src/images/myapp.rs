//! The teaching image `myapp` of the notes: an nginx whose page says its version, and whose `/hostname.html` says which pod it is.

use super::{Image, Reference, nginx, userland, web::replace};
use crate::{Ctx, files::Item, kernel::Program};

pub(super) const PROGRAMS: &[(&str, Program)] = &[("myapp", |ctx| Box::pin(main(ctx)))];

const ROOT: &str = "/usr/share/nginx/html";

pub(super) fn image(of: &Reference) -> Option<Image> {
    if !of.is("myapp") {
        return None;
    }
    let version = if of.tag == "latest" { "v1" } else { &of.tag };
    let base = nginx::image(&Reference { name: "nginx".to_owned(), tag: "1.12.2".to_owned(), ..of.clone() })?;
    let page = format!("Hello MyApp | Version: {version} | <a href=\"hostname.html\">Pod Name</a>\n");
    let files = [Item::file(format!("{ROOT}/index.html"), 0o644, page), userland::program("/usr/local/bin/myapp", "myapp")];
    Some(Image { files: userland::with(&base.files, files), entrypoint: Vec::new(), cmd: vec!["myapp".to_owned()], ..base })
}

/// Writes down which pod it is, and becomes nginx.
async fn main(ctx: Ctx) -> i32 {
    let written = match ctx.open(&format!("{ROOT}/hostname.html"), crate::files::Open::WRITE).await {
        Ok(fd) => {
            let written = ctx.write_all(fd, format!("{}\n", ctx.hostname()).as_bytes()).await;
            ctx.close(fd).and(written)
        }
        Err(errno) => Err(errno),
    };
    if let Err(errno) = written {
        ctx.err(format!("myapp: {ROOT}/hostname.html: {errno}\n")).await;
    }
    let errno = replace(&ctx, ["nginx", "-g", "daemon off;"].map(str::to_owned).to_vec()).await;
    ctx.err(format!("myapp: nginx: {errno}\n")).await;
    127
}
