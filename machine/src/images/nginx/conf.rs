//! nginx' configuration, as much of it as labs write: ports, roots, locations, what is returned and where is asked instead. Pure.

/// A directive: its words, what is in its braces, and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) words: Vec<String>,
    pub(super) inside: Option<Vec<Directive>>,
    pub(super) line: usize,
}

/// What is wrong with a text, and in which line.
pub(super) type Wrong = (String, usize);

/// A server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) ports: Vec<u16>,
    pub(super) root: String,
    pub(super) index: Vec<String>,
    pub(super) locations: Vec<Location>,
    pub(super) returns: Option<(u16, String)>,
}

/// What is done for some paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    /// Whether the path is meant exactly.
    pub(super) exact: bool,
    pub(super) path: String,
    pub(super) root: Option<String>,
    pub(super) alias: Option<String>,
    pub(super) index: Option<Vec<String>>,
    pub(super) returns: Option<(u16, String)>,
    pub(super) proxy: Option<String>,
}

/// How deep blocks may be.
const DEEPEST: usize = 16;

enum Token {
    Word(String),
    Open,
    Close,
    End,
}

/// The words of a text with their lines.
fn words(text: &str) -> Result<Vec<(Token, usize)>, Wrong> {
    let (mut tokens, mut line, mut word) = (Vec::new(), 1, String::new());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if (c.is_whitespace() || "{};#".contains(c)) && !word.is_empty() {
            // `${name}` is part of a word.
            if c == '{' && word.ends_with('$') {
                word.push(c);
                word.extend(std::iter::from_fn(|| rest.next_if(|c| *c != '}')));
                word.extend(rest.next());
                continue;
            }
            tokens.push((Token::Word(std::mem::take(&mut word)), line));
        }
        match c {
            '\n' => line += 1,
            '#' if word.is_empty() => while rest.next_if(|c| *c != '\n').is_some() {},
            '{' => tokens.push((Token::Open, line)),
            '}' => tokens.push((Token::Close, line)),
            ';' => tokens.push((Token::End, line)),
            '"' | '\'' if word.is_empty() => {
                let begin = line;
                loop {
                    match rest.next() {
                        Some('\\') => match rest.next() {
                            Some('n') => word.push('\n'),
                            Some('t') => word.push('\t'),
                            Some(c) => word.push(c),
                            None => {}
                        },
                        Some(end) if end == c => break,
                        Some(inner) => {
                            line += usize::from(inner == '\n');
                            word.push(inner);
                        }
                        None => return Err(("unexpected end of file, expecting \";\" or \"}\"".to_owned(), line)),
                    }
                }
                tokens.push((Token::Word(std::mem::take(&mut word)), begin));
            }
            c if c.is_whitespace() => {}
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        tokens.push((Token::Word(word), line));
    }
    Ok(tokens)
}

/// Reads a text.
pub(super) fn parse(text: &str) -> Result<Vec<Directive>, Wrong> {
    let last = text.lines().count().max(1);
    let mut open: Vec<(Vec<String>, usize, Vec<Directive>)> = Vec::new();
    let mut here: Vec<Directive> = Vec::new();
    let mut current: (Vec<String>, usize) = (Vec::new(), 1);
    for (token, line) in words(text)? {
        match token {
            Token::Word(word) => {
                if current.0.is_empty() {
                    current.1 = line;
                }
                current.0.push(word);
            }
            Token::End if current.0.is_empty() => return Err(("unexpected \";\"".to_owned(), line)),
            Token::End => {
                let (words, line) = std::mem::take(&mut current);
                here.push(Directive { words, inside: None, line });
            }
            Token::Open if current.0.is_empty() || open.len() >= DEEPEST => return Err(("unexpected \"{\"".to_owned(), line)),
            Token::Open => {
                let (words, line) = std::mem::take(&mut current);
                open.push((words, line, std::mem::take(&mut here)));
            }
            Token::Close => {
                let Some((words, begin, above)) = open.pop().filter(|_| current.0.is_empty()) else {
                    return Err(("unexpected \"}\"".to_owned(), line));
                };
                let inside = std::mem::replace(&mut here, above);
                here.push(Directive { words, inside: Some(inside), line: begin });
            }
        }
    }
    if !current.0.is_empty() {
        return Err(("unexpected end of file, expecting \";\" or \"}\"".to_owned(), last));
    }
    if !open.is_empty() {
        return Err(("unexpected end of file, expecting \"}\"".to_owned(), last));
    }
    Ok(here)
}

fn value<'a>(directives: &'a [Directive], name: &str) -> Option<&'a [String]> {
    directives.iter().find(|directive| directive.words.first().is_some_and(|first| first == name)).map(|directive| &directive.words[1..])
}

fn returned(directives: &[Directive]) -> Option<(u16, String)> {
    match value(directives, "return")? {
        [code] => Some((code.parse().ok()?, String::new())),
        [code, text, ..] => Some((code.parse().ok()?, text.clone())),
        [] => None,
    }
}

/// A server of a block, with what it does not say itself.
pub(super) fn server(block: &[Directive], usual_root: &str) -> Server {
    let first = |name: &str| value(block, name).and_then(|words| words.first().cloned());
    let listens = block
        .iter()
        .filter(|directive| directive.words.first().is_some_and(|first| first == "listen"))
        .filter_map(|directive| directive.words.get(1));
    let mut ports: Vec<u16> = listens.filter_map(|listen| listen.rsplit(':').next()?.trim_end_matches(']').parse().ok()).collect();
    ports.sort_unstable();
    ports.dedup();
    if ports.is_empty() {
        ports.push(80);
    }
    let location = |directive: &Directive| {
        let inside = directive.inside.as_deref()?;
        let (exact, path) = match directive.words.get(1..)? {
            [path] => (false, path),
            [sign, path] if sign == "=" => (true, path),
            [sign, path] if sign == "^~" => (false, path),
            // Patterns are not simulated.
            _ => return None,
        };
        let first = |name: &str| value(inside, name).and_then(|words| words.first().cloned());
        Some(Location {
            exact,
            path: path.clone(),
            root: first("root"),
            alias: first("alias"),
            index: value(inside, "index").map(<[String]>::to_vec),
            returns: returned(inside),
            proxy: first("proxy_pass"),
        })
    };
    Server {
        ports,
        root: first("root").unwrap_or_else(|| usual_root.to_owned()),
        index: value(block, "index").map_or_else(|| vec!["index.html".to_owned()], <[String]>::to_vec),
        locations: block
            .iter()
            .filter(|directive| directive.words.first().is_some_and(|first| first == "location"))
            .filter_map(location)
            .collect(),
        returns: returned(block),
    }
}

impl Server {
    /// The location of a path: the one that is exactly it, else the longest it begins with.
    pub(super) fn location(&self, path: &str) -> Option<&Location> {
        let exact = self.locations.iter().find(|location| location.exact && location.path == path);
        exact.or_else(|| {
            self.locations
                .iter()
                .filter(|location| !location.exact && path.starts_with(&location.path))
                .max_by_key(|location| location.path.len())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "server {\n  listen 8080; listen [::]:8080;\n  root /data; # here\n  location / { index a.html b.html; }\n  location = /x { return 200 \"hi there\\n\"; }\n  location /api/ { proxy_pass http://back:81/; }\n}\n";

    #[test]
    fn servers_are_read() {
        let directives = parse(TEXT).unwrap();
        let server = server(directives[0].inside.as_deref().unwrap(), "/usual");
        assert_eq!((server.ports.as_slice(), server.root.as_str()), (&[8080][..], "/data"));
        assert_eq!(server.location("/x").unwrap().returns, Some((200, "hi there\n".to_owned())));
        assert_eq!(server.location("/api/y").unwrap().proxy.as_deref(), Some("http://back:81/"));
        assert_eq!(server.location("/z").unwrap().index.as_deref(), Some(&["a.html".to_owned(), "b.html".to_owned()][..]));
    }

    #[test]
    fn what_is_wrong() {
        for (text, expected, line) in [
            ("a b", "unexpected end of file, expecting \";\" or \"}\"", 1),
            ("a {\nb c;\n", "unexpected end of file, expecting \"}\"", 2),
            ("a b;\n}", "unexpected \"}\"", 2),
            (";", "unexpected \";\"", 1),
            ("{", "unexpected \"{\"", 1),
        ] {
            assert_eq!(parse(text), Err((expected.to_owned(), line)), "{text}");
        }
    }
}
