//! `stat`: what files are.

use super::hand::{Clock, Out, Outcome, People, Usage, complain, mode_letters};
use crate::{
    Ctx,
    files::{Device, Kind, Stat},
};

const USAGE: Usage =
    Usage { syntax: "[-ltf] [-c FMT] FILE...", short: "c:Lltf", long: &[("format", 'c'), ("dereference", 'L'), ("terse", 't')] };

/// The numbers of a device on Linux.
pub(crate) fn numbers(device: Device) -> (u32, u32) {
    match device {
        Device::Null => (1, 3),
        Device::Zero => (1, 5),
        Device::Full => (1, 7),
        Device::Random => (1, 9),
        Device::Terminal => (5, 0),
    }
}

fn kind(stat: &Stat) -> &'static str {
    match stat.kind {
        Kind::File if stat.size == 0 => "regular empty file",
        Kind::File => "regular file",
        Kind::Directory => "directory",
        Kind::Symlink => "symbolic link",
        Kind::Device(_) => "character special file",
        Kind::Fifo | Kind::Pipe => "fifo",
    }
}

fn raw_mode(stat: &Stat) -> u32 {
    let kind: u32 = match stat.kind {
        Kind::File => 0o100_000,
        Kind::Directory => 0o40_000,
        Kind::Symlink => 0o120_000,
        Kind::Device(_) => 0o20_000,
        Kind::Fifo | Kind::Pipe => 0o10_000,
    };
    kind | u32::from(stat.mode)
}

struct Teller {
    people: People,
    clock: Clock,
}

impl Teller {
    fn field(&self, letter: char, name: &str, stat: &Stat, target: Option<&str>) -> Option<String> {
        let time = |format: &str| self.clock.format(stat.modified, format);
        let blocks = if stat.kind == Kind::File { stat.size.div_ceil(4096) * 8 } else { u64::from(stat.kind == Kind::Directory) * 8 };
        Some(match letter {
            'n' => name.to_owned(),
            'N' => target.map_or_else(|| format!("'{name}'"), |target| format!("'{name}' -> '{target}'")),
            'a' => format!("{:o}", stat.mode),
            'A' => mode_letters(stat.kind, stat.mode),
            'b' => blocks.to_string(),
            'B' => "512".to_owned(),
            'd' => stat.device.to_string(),
            'D' => format!("{:x}", stat.device),
            'f' => format!("{:x}", raw_mode(stat)),
            'F' => kind(stat).to_owned(),
            'g' => stat.gid.to_string(),
            'G' => self.people.group_name(stat.gid).unwrap_or("UNKNOWN").to_owned(),
            'h' => stat.links.to_string(),
            'i' => stat.inode.to_string(),
            'o' => "4096".to_owned(),
            's' => stat.size.to_string(),
            't' | 'T' => {
                let (major, minor) = if let Kind::Device(device) = stat.kind { numbers(device) } else { (0, 0) };
                format!("{:x}", if letter == 't' { major } else { minor })
            }
            'u' => stat.uid.to_string(),
            'U' => self.people.user_name(stat.uid).unwrap_or("UNKNOWN").to_owned(),
            'x' | 'y' | 'z' => time("%Y-%m-%d %H:%M:%S.%N %z"),
            'X' | 'Y' | 'Z' => stat.modified.as_second().to_string(),
            _ => return None,
        })
    }

    fn formatted(&self, format: &str, name: &str, stat: &Stat, target: Option<&str>) -> String {
        let mut out = String::new();
        let mut rest = format.chars();
        while let Some(c) = rest.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let mut spec = String::new();
            let letter = loop {
                match rest.next() {
                    Some(c) if c.is_ascii_digit() || matches!(c, '-' | '.' | '#' | '+' | ' ') => spec.push(c),
                    other => break other,
                }
            };
            let Some(letter) = letter else {
                out.push('%');
                break;
            };
            let Some(field) = (if letter == '%' { Some("%".to_owned()) } else { self.field(letter, name, stat, target) }) else {
                out.push('?');
                continue;
            };
            let width: usize = spec
                .trim_start_matches(['-', '#', '+', ' '])
                .split('.')
                .next()
                .and_then(|width| width.parse().ok())
                .unwrap_or(0)
                .min(1 << 12);
            out += &if spec.starts_with('-') { format!("{field:<width$}") } else { format!("{field:>width$}") };
        }
        out
    }

    fn whole(&self, name: &str, stat: &Stat, target: Option<&str>) -> String {
        let get = |letter| self.field(letter, name, stat, target).unwrap_or_default();
        let shown = target.map_or_else(|| name.to_owned(), |target| format!("'{name}' -> '{target}'"));
        let device = if let Kind::Device(device) = stat.kind {
            let (major, minor) = numbers(device);
            format!("     Device type: {major:x},{minor:x}")
        } else {
            String::new()
        };
        format!(
            "  File: {shown}\n  Size: {:<10}\tBlocks: {:<10} IO Block: {:<6} {}\nDevice: {}h/{}d\tInode: {:<10}  Links: {}{device}\nAccess: ({:04o}/{})  Uid: ({:5}/{:>8})   Gid: ({:5}/{:>8})\nAccess: {}\nModify: {}\nChange: {}\n",
            get('s'),
            get('b'),
            get('o'),
            get('F'),
            get('D'),
            get('d'),
            get('i'),
            get('h'),
            stat.mode,
            get('A'),
            get('u'),
            get('U'),
            get('g'),
            get('G'),
            get('x'),
            get('y'),
            get('z'),
        )
    }
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = USAGE.parse_some(&ctx, 1, usize::MAX).await?;
    let teller = Teller { people: People::read(&ctx).await, clock: Clock::of(&ctx) };
    let (mut out, mut code) = (Out::new(&ctx), 0);
    for file in &given.operands {
        let stat = match if given.has('L') { ctx.stat(file) } else { ctx.lstat(file) } {
            Ok(stat) => stat,
            Err(errno) => {
                complain(&ctx, format!("can't stat '{file}': {errno}")).await;
                code = 1;
                continue;
            }
        };
        let target = if stat.kind == Kind::Symlink { ctx.readlink(file).ok() } else { None };
        match given.value('c') {
            Some(format) => out.line(teller.formatted(format, file, &stat, target.as_deref())).await?,
            None if given.has('t') => out.line(teller.formatted("%n %s %b %f %u %g %D %i %h %t %T %X %Y %Z %o", file, &stat, None)).await?,
            None => out.put(teller.whole(file, &stat, target.as_deref())).await?,
        }
    }
    out.end(code).await
}
