//! Names of files for a pattern.

use futures::future::BoxFuture;

use super::{fields::Field, pattern::Pattern};
use crate::{Ctx, files::Kind};

/// How many names a pattern may stand for.
const MOST: usize = 20_000;

/// A part of a path between slashes.
struct Component {
    pattern: Pattern,
    literal: Option<String>,
}

/// All names of files that a pattern stands for, in order; none: it stands for itself.
pub(super) async fn expand(ctx: &Ctx, field: &Field) -> Vec<String> {
    let chars: Vec<(char, bool)> = field.chars().collect();
    let component = |chars: &[(char, bool)]| {
        let pattern = Pattern::new(chars.iter().copied());
        Component { literal: pattern.literal(), pattern }
    };
    let components: Vec<Component> = chars.split(|(c, _)| *c == '/').map(component).collect();
    let mut found = Vec::new();
    walk(ctx, String::new(), &components, &mut found).await;
    found.sort_unstable();
    found
}

/// Looks in a directory, a path that ends with `/` or nothing, for what the components stand for.
fn walk<'a>(ctx: &'a Ctx, base: String, components: &'a [Component], found: &'a mut Vec<String>) -> BoxFuture<'a, ()> {
    Box::pin(async move {
        ctx.step(10).await;
        let Some((component, rest)) = components.split_first() else { return };
        if let Some(name) = &component.literal {
            let path = base + name;
            if !rest.is_empty() {
                walk(ctx, path + "/", rest, found).await;
            } else if (name.is_empty() && ctx.stat(&path).is_ok()) || ctx.lstat(&path).is_ok() {
                found.push(path);
            }
            return;
        }
        let hidden = component.pattern.begins_with('.');
        let Ok(entries) = ctx.list(if base.is_empty() { "." } else { &base }) else { return };
        let own = [".", ".."].into_iter().filter(|_| hidden).map(|name| (name.to_owned(), Kind::Directory));
        for (name, kind) in own.chain(entries.into_iter().map(|entry| (entry.name, entry.kind))) {
            if found.len() >= MOST {
                return;
            }
            let wanted = hidden || !name.starts_with('.');
            if !wanted || component.pattern.matches(&name, &mut 1_000_000) != Ok(true) {
                continue;
            }
            let path = format!("{base}{name}");
            if rest.is_empty() {
                found.push(path);
            } else if matches!(kind, Kind::Directory | Kind::Symlink) && ctx.stat(&path).is_ok_and(|stat| stat.kind == Kind::Directory) {
                walk(ctx, path + "/", rest, found).await;
            }
        }
    })
}
