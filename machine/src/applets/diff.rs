//! `diff`: how files differ, unified.

use std::{collections::BTreeSet, time::Duration};

use similar::{Algorithm, TextDiff};

use super::hand::{Given, Input, Out, Outcome, Stop, Usage, complain, join};
use crate::{Ctx, files::Kind};

const USAGE: Usage = Usage::short("[-abBdiNqrTstw] [-L LABEL] [-S FILE] [-U LINES] FILE1 FILE2", "abdiL:NqrsS:tTU:wupBE");
/// More than this is not compared.
const MOST: usize = 4 << 20;

struct Differ<'a> {
    ctx: &'a Ctx,
    given: &'a Given,
    out: Out,
    code: i32,
}

/// Runs it.
pub(super) async fn main(ctx: Ctx) -> Outcome {
    let given = match USAGE.parse_some(&ctx, 2, 2).await {
        Err(Stop::Exit(1)) => return Ok(2),
        given => given?,
    };
    let (mut one, mut two) = (given.operands[0].clone(), given.operands[1].clone());
    let mut directories = [false; 2];
    for (at, file) in [&one, &two].into_iter().enumerate() {
        match ctx.stat(file) {
            _ if file == "-" => {}
            Ok(stat) => directories[at] = stat.kind == Kind::Directory,
            Err(_) if given.has('N') => {}
            Err(errno) => {
                complain(&ctx, format!("can't stat '{file}': {errno}")).await;
                return Ok(2);
            }
        }
    }
    let mut differ = Differ { ctx: &ctx, given: &given, out: Out::new(&ctx), code: 0 };
    match directories {
        [true, true] => differ.directories(&one, &two).await?,
        [true, false] => {
            one = join(&one, super::hand::base(&two));
            differ.files(&one, &two).await?;
        }
        [false, true] => {
            two = join(&two, super::hand::base(&one));
            differ.files(&one, &two).await?;
        }
        [false, false] => differ.files(&one, &two).await?,
    }
    let code = differ.code;
    differ.out.end(code).await
}

impl Differ<'_> {
    async fn read(&mut self, file: &str) -> Result<Option<Vec<u8>>, Stop> {
        let mut input = match Input::open(self.ctx, file).await {
            Ok(input) => input,
            Err(_) if self.given.has('N') => return Ok(Some(Vec::new())),
            Err(errno) => {
                complain(self.ctx, format!("can't open '{file}': {errno}")).await;
                self.code = 2;
                return Ok(None);
            }
        };
        let mut bytes = Vec::new();
        loop {
            let piece = input.piece(usize::MAX).await.map_err(Stop::Input)?;
            if piece.is_empty() || bytes.len() > MOST {
                return Ok(Some(bytes));
            }
            bytes.extend(piece);
        }
    }

    fn folded(&self, line: &str) -> String {
        let mut line = if self.given.has('i') { line.to_lowercase() } else { line.to_owned() };
        if self.given.has('w') {
            line.retain(|c| !c.is_whitespace());
        } else if self.given.has('b') {
            line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        }
        line
    }

    async fn files(&mut self, one: &str, two: &str) -> Result<(), Stop> {
        let (Some(first), Some(second)) = (self.read(one).await?, self.read(two).await?) else { return Ok(()) };
        let _held = self.ctx.allocate((first.len() + second.len()) as u64).map_err(Stop::Input)?;
        self.ctx.step(1 + u32::try_from((first.len() + second.len()) / 64).unwrap_or(u32::MAX)).await;
        if first == second {
            if self.given.has('s') {
                self.out.line(format!("Files {one} and {two} are identical")).await?;
            }
            return Ok(());
        }
        let (first, second) = (String::from_utf8_lossy(&first).into_owned(), String::from_utf8_lossy(&second).into_owned());
        let split = |text: &str| text.split_inclusive('\n').map(str::to_owned).collect::<Vec<String>>();
        let (old, new) = (split(&first), split(&second));
        let keys = |lines: &[String]| lines.iter().map(|line| self.folded(line)).collect::<Vec<String>>();
        let (old_keys, new_keys) = (keys(&old), keys(&new));
        if old_keys == new_keys {
            return Ok(());
        }
        self.code = self.code.max(1);
        if self.given.has('q') {
            return self.out.line(format!("Files {one} and {two} differ")).await;
        }
        let (old_slices, new_slices): (Vec<&str>, Vec<&str>) =
            (old_keys.iter().map(String::as_str).collect(), new_keys.iter().map(String::as_str).collect());
        let diff =
            TextDiff::configure().algorithm(Algorithm::Myers).timeout(Duration::from_millis(100)).diff_slices(&old_slices, &new_slices);
        let context = self.given.value('U').and_then(|lines| lines.parse().ok()).unwrap_or(3);
        let mut labels = self.given.values('L');
        let (before, after) = (labels.next().unwrap_or(one).to_owned(), labels.next().unwrap_or(two).to_owned());
        self.out.put(format!("--- {before}\n+++ {after}\n")).await?;
        for group in diff.grouped_ops(context) {
            let (Some(begin), Some(end)) = (group.first(), group.last()) else { continue };
            let range = |from: usize, to: usize| match to - from {
                0 => format!("{from},0"),
                1 => format!("{}", from + 1),
                count => format!("{},{count}", from + 1),
            };
            let old_range = range(begin.old_range().start, end.old_range().end);
            let new_range = range(begin.new_range().start, end.new_range().end);
            self.out.line(format!("@@ -{old_range} +{new_range} @@")).await?;
            for operation in &group {
                let same = operation.tag() == similar::DiffTag::Equal;
                let sign = if same { ' ' } else { '-' };
                for line in &old[operation.old_range()] {
                    self.line(sign, line).await?;
                }
                if !same {
                    for line in &new[operation.new_range()] {
                        self.line('+', line).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn line(&mut self, sign: char, line: &str) -> Result<(), Stop> {
        let end = if line.ends_with('\n') { "" } else { "\n\\ No newline at end of file\n" };
        self.out.put(format!("{sign}{line}{end}")).await
    }

    async fn directories(&mut self, one: &str, two: &str) -> Result<(), Stop> {
        let mut waiting = vec![(one.to_owned(), two.to_owned())];
        while let Some((one, two)) = waiting.pop() {
            let names =
                |path: &str| self.ctx.list(path).unwrap_or_default().into_iter().map(|entry| entry.name).collect::<BTreeSet<String>>();
            let (here, there) = (names(&one), names(&two));
            let mut below = Vec::new();
            for name in here.union(&there) {
                let (first, second) = (join(&one, name), join(&two, name));
                let is = |path: &str| self.ctx.stat(path).ok().map(|stat| stat.kind == Kind::Directory);
                match (is(&first), is(&second)) {
                    (Some(true), Some(true)) if self.given.has('r') => below.push((first, second)),
                    (Some(true), Some(true)) => self.out.line(format!("Common subdirectories: {first} and {second}")).await?,
                    (Some(false), Some(false)) => self.files(&first, &second).await?,
                    (Some(_), Some(_)) => {
                        let word = |directory| if directory { "directory" } else { "regular file" };
                        self.code = self.code.max(1);
                        self.out
                            .line(format!(
                                "File {first} is a {} while file {second} is a {}",
                                word(is(&first) == Some(true)),
                                word(is(&second) == Some(true))
                            ))
                            .await?;
                    }
                    (None, None) => {}
                    _ if self.given.has('N') => self.files(&first, &second).await?,
                    (Some(_), None) => {
                        self.code = self.code.max(1);
                        self.out.line(format!("Only in {one}: {name}")).await?;
                    }
                    (None, Some(_)) => {
                        self.code = self.code.max(1);
                        self.out.line(format!("Only in {two}: {name}")).await?;
                    }
                }
            }
            waiting.extend(below.into_iter().rev());
        }
        Ok(())
    }
}
