//! How far a command is: what is open, what may come next, what is missing.
//!
//! The parser crate says what a command means, once it has all of its tokens. This decides when that is, names what is wrong in the words of
//! busybox ash, bounds how deep commands nest (the parser crate recurses), and turns what ash has beyond POSIX (`[[`, `function`, `&>`) into what the
//! parser crate reads without bash's extensions.

use brush_parser::{Token, TokenLocation};

use super::Syntax;

/// How deep compound commands may nest.
const NESTING: usize = 40;

/// The word after `for name in` if there is none: the parser crate does not tell that from `for name;`, which goes over the arguments.
pub(super) const NOTHING: &str = "\0";

/// A compound command that has begun, by what must come to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// `(`
    Paren,
    /// `{`
    Brace,
    /// `if …`, `elif …`
    Condition,
    /// `then …`
    Then,
    /// `else …`
    Else,
    /// `while …`, `until …`
    While,
    /// `do …`
    Do,
    /// `case … in`
    Case,
}

impl Open {
    fn expects(self) -> &'static str {
        match self {
            Self::Paren => ")",
            Self::Brace => "}",
            Self::Condition => "then",
            Self::Then | Self::Else => "fi",
            Self::While => "do",
            Self::Do => "done",
            Self::Case => ";;",
        }
    }
}

/// What may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// A command or the end of the list.
    Command,
    /// A command, with which a list begins.
    Begin,
    /// A command, after an operator.
    Must,
    /// The name of a command, after assignments or redirections.
    Name,
    /// An argument; `first` if so far there is only a name.
    Argument {
        first: bool,
    },
    /// A redirection or the end of the compound command.
    After,
    /// The `)` after the name of a function.
    Parens,
    /// The body of a function.
    Body,
    /// The name after `function`.
    Function,
    /// Parentheses or the body, after that name.
    Named,
    ForName,
    ForIn,
    /// A word of a `for`; `first`: there is none so far.
    ForWord {
        first: bool,
    },
    ForDo,
    CaseWord,
    CaseIn,
    Pattern {
        first: bool,
    },
    PatternEnd,
    /// Inside `[[ ]]`.
    Test,
}

/// What is to be made of the word after a redirection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    File,
    /// `&>`: standard error output follows.
    Both,
    Here {
        tabs: bool,
    },
}

/// How far a command is.
#[derive(Debug)]
pub(super) struct Shape {
    /// What the parser crate shall read.
    pub(super) tokens: Vec<Token>,
    /// The `)` of the substitution has come.
    pub(super) closed: bool,
    substitution: bool,
    open: Vec<Open>,
    at: At,
    target: Option<Target>,
}

impl Shape {
    /// Nothing has been read.
    pub(super) fn new() -> Self {
        Self { tokens: Vec::new(), closed: false, substitution: false, open: Vec::new(), at: At::Command, target: None }
    }

    /// What is between `$(` and `)`.
    pub(super) fn substitution() -> Self {
        Self { substitution: true, ..Self::new() }
    }

    /// Whether what has been read can be run.
    pub(super) fn complete(&self) -> bool {
        self.open.is_empty() && self.at == At::Command && self.target.is_none()
    }

    /// Whether the next word names the end of a here-document, whose lines lose their tabs.
    pub(super) fn here_document(&self) -> Option<bool> {
        match self.target {
            Some(Target::Here { tabs }) => Some(tabs),
            _ => None,
        }
    }

    /// Whether a `)` ends the substitution that is read; it does then.
    pub(super) fn closes_substitution(&mut self) -> bool {
        let ends = matches!(self.at, At::Command | At::Name | At::Argument { .. } | At::After);
        self.closed = self.substitution && self.open.is_empty() && self.target.is_none() && ends;
        self.closed
    }

    /// The text has ended.
    pub(super) fn end(&mut self, line: usize) -> Result<(), Syntax> {
        if matches!(self.at, At::Name | At::Argument { .. } | At::After) {
            self.at = At::Command;
        }
        if self.complete() && !self.substitution {
            return Ok(());
        }
        let expected = match self.at {
            _ if self.target.is_some() => None,
            At::Must | At::Parens | At::Body | At::Function | At::Named => None,
            At::ForName => return Err(Syntax::more("bad for loop variable", line)),
            At::ForIn | At::ForWord { .. } | At::ForDo => Some("do"),
            At::CaseWord => None,
            At::CaseIn => Some("in"),
            At::Pattern { .. } => Some(")"),
            At::PatternEnd => Some(")"),
            At::Test => Some("]]"),
            _ => Some(self.open.last().map_or(")", |open| open.expects())),
        };
        Err(Syntax { more: true, ..unexpected("end of file", expected, line) })
    }

    fn push(&mut self, open: Open, line: usize) -> Result<(), Syntax> {
        if self.open.len() >= NESTING {
            return Err(Syntax::bad("too deeply nested", line));
        }
        self.open.push(open);
        self.at = At::Begin;
        Ok(())
    }

    /// Ends the innermost compound command, if that is what it waits for.
    fn close(&mut self, word: &str, line: usize) -> Result<(), Syntax> {
        let top = self.open.last().copied();
        let fits = match (word, top) {
            ("esac", Some(Open::Case)) => true,
            ("then" | "fi" | "do" | "done" | "}" | ")", Some(open)) => open.expects() == word,
            ("elif" | "else", Some(Open::Then)) => true,
            _ => false,
        };
        let empty = matches!(self.at, At::Begin | At::Must);
        if empty || !fits {
            let expected = top.filter(|_| !empty).map(Open::expects);
            return Err(unexpected(&format!("\"{word}\""), expected, line));
        }
        self.open.pop();
        self.at = At::After;
        match word {
            "then" => self.push(Open::Then, line),
            "elif" => self.push(Open::Condition, line),
            "else" => self.push(Open::Else, line),
            "do" => self.push(Open::Do, line),
            _ => Ok(()),
        }
    }

    /// A word has been read.
    pub(super) fn word(&mut self, word: String, location: TokenLocation) -> Result<(), Syntax> {
        let line = location.start.line;
        if let Some(target) = self.target.take() {
            self.tokens.push(Token::Word(word, location.clone()));
            if target == Target::Both {
                self.error_too(location);
            }
            return Ok(());
        }
        match self.at {
            At::Command | At::Begin | At::Must | At::Body => self.first(&word, &location)?,
            At::Name => self.at = if is_assignment(&word) { At::Name } else { At::Argument { first: false } },
            At::Argument { .. } => self.at = At::Argument { first: false },
            At::After if matches!(word.as_str(), "then" | "elif" | "else" | "fi" | "do" | "done" | "esac" | "}") => {
                self.at = At::Command;
                self.first(&word, &location)?;
            }
            At::After | At::Parens => return Err(unexpected(&quoted_word(&word), self.open.last().map(|open| open.expects()), line)),
            At::Function if is_name(&word) => self.at = At::Named,
            At::Function => return Err(Syntax::bad("bad function name", line)),
            At::Named => {
                self.parens(&location);
                self.first(&word, &location)?;
            }
            At::ForName if is_name(&word) => self.at = At::ForIn,
            At::ForName => return Err(Syntax::bad("bad for loop variable", line)),
            At::ForIn if word == "in" => self.at = At::ForWord { first: true },
            At::ForIn | At::ForDo if word == "do" => {
                self.at = At::Command;
                self.push(Open::Do, line)?;
            }
            At::ForIn | At::ForDo => return Err(unexpected(&quoted_word(&word), Some("do"), line)),
            At::ForWord { .. } => self.at = At::ForWord { first: false },
            At::CaseWord => self.at = At::CaseIn,
            At::CaseIn if word == "in" => self.at = At::Pattern { first: true },
            At::CaseIn => return Err(unexpected(&quoted_word(&word), Some("in"), line)),
            At::Pattern { first: true } if word == "esac" => {
                self.at = At::After;
                self.open.pop();
            }
            At::Pattern { .. } => self.at = At::PatternEnd,
            At::PatternEnd => return Err(unexpected(&quoted_word(&word), Some(")"), line)),
            At::Test if word == "]]" => self.at = At::Argument { first: false },
            At::Test => {}
        }
        if self.at != At::Function {
            self.tokens.push(Token::Word(word, location));
        }
        Ok(())
    }

    /// A word at the place of a command.
    fn first(&mut self, word: &str, location: &TokenLocation) -> Result<(), Syntax> {
        let line = location.start.line;
        match word {
            "if" => self.push(Open::Condition, line),
            "while" | "until" => self.push(Open::While, line),
            "{" => self.push(Open::Brace, line),
            "case" => {
                self.push(Open::Case, line)?;
                self.at = At::CaseWord;
                Ok(())
            }
            "esac" if self.open.last() == Some(&Open::Case) => {
                // With it the parser crate need not try each last arm twice, which nested would take twice as long each time.
                self.tokens.push(Token::Operator(";;".to_owned(), location.clone()));
                self.at = At::Command;
                self.close(word, line)
            }
            "then" | "elif" | "else" | "fi" | "do" | "done" | "esac" | "}" => self.close(word, line),
            "in" => Err(unexpected("\"in\"", None, line)),
            _ if self.at == At::Body => Err(unexpected(&quoted_word(word), None, line)),
            "for" => {
                self.at = At::ForName;
                Ok(())
            }
            "function" => {
                self.at = At::Function;
                Ok(())
            }
            "!" if matches!(self.tokens.last(), Some(Token::Word(last, _)) if last == "!") => Err(unexpected("\"!\"", None, line)),
            "!" => {
                self.at = At::Must;
                Ok(())
            }
            "[[" => {
                self.at = At::Test;
                Ok(())
            }
            _ => {
                self.at = if is_assignment(word) { At::Name } else { At::Argument { first: true } };
                Ok(())
            }
        }
    }

    /// The parentheses that were left out after `function name`.
    fn parens(&mut self, location: &TokenLocation) {
        self.at = At::Body;
        self.tokens.push(Token::Operator("(".to_owned(), location.clone()));
        self.tokens.push(Token::Operator(")".to_owned(), location.clone()));
    }

    /// `2>&1`
    fn error_too(&mut self, location: TokenLocation) {
        self.tokens.push(Token::Word("2".to_owned(), location.clone()));
        let touching = TokenLocation { start: location.end.clone(), end: location.end.clone() };
        self.tokens.push(Token::Operator(">&".to_owned(), touching));
        self.tokens.push(Token::Word("1".to_owned(), location));
    }

    /// An operator has been read.
    pub(super) fn operator(&mut self, operator: &str, location: TokenLocation) -> Result<(), Syntax> {
        let line = location.start.line;
        let wrong = Err(unexpected(&named(operator), None, line));
        if self.target.is_some() {
            return wrong;
        }
        if self.at == At::ForName {
            return Err(Syntax::bad("bad for loop variable", line));
        }
        let ends = matches!(self.at, At::Name | At::Argument { .. } | At::After);
        match operator {
            "\n" => {
                match self.at {
                    At::Named => self.parens(&location),
                    At::ForWord { .. } => self.end_of_words(&location),
                    _ => {}
                }
                self.new_line(line)?;
            }
            ";" | "&" if ends => self.at = At::Command,
            ";" if matches!(self.at, At::ForIn | At::ForWord { .. }) => self.end_of_words(&location),
            "&&" | "||" if self.at == At::Test => {
                let word = if operator == "&&" { "-a" } else { "-o" };
                self.tokens.push(Token::Word(word.to_owned(), location));
                return Ok(());
            }
            "&&" | "||" | "|" if ends => self.at = At::Must,
            "|" if self.at == At::PatternEnd => self.at = At::Pattern { first: false },
            ";;" if self.open.last() == Some(&Open::Case) && (ends || self.at == At::Command) => {
                self.at = At::Pattern { first: true };
            }
            "(" => self.open_paren(line)?,
            ")" => self.close_paren(line)?,
            "<" | ">" | ">>" | "<<" | "<<-" | "<&" | ">&" | "<>" | ">|" | "&>" => {
                self.redirection(operator, line)?;
                if operator == "&>" {
                    self.tokens.push(Token::Operator(">".to_owned(), location));
                    return Ok(());
                }
            }
            _ => return wrong,
        }
        self.tokens.push(Token::Operator(operator.to_owned(), location));
        Ok(())
    }

    fn new_line(&mut self, line: usize) -> Result<(), Syntax> {
        match self.at {
            At::Name | At::Argument { .. } | At::After => self.at = At::Command,
            At::Command | At::Begin | At::Must | At::Body | At::ForIn | At::ForDo | At::CaseIn | At::Pattern { first: true } => {}
            _ => return Err(unexpected("newline", None, line)),
        }
        Ok(())
    }

    /// The words of a `for` have ended.
    fn end_of_words(&mut self, location: &TokenLocation) {
        if self.at == (At::ForWord { first: true }) {
            self.tokens.push(Token::Word(NOTHING.to_owned(), location.clone()));
        }
        self.at = At::ForDo;
    }

    fn open_paren(&mut self, line: usize) -> Result<(), Syntax> {
        match self.at {
            At::Command | At::Begin | At::Must | At::Body => self.push(Open::Paren, line),
            At::Named => {
                self.at = At::Parens;
                Ok(())
            }
            At::Argument { first: true } => match self.tokens.last() {
                Some(Token::Word(name, _)) if is_name(name) => {
                    self.at = At::Parens;
                    Ok(())
                }
                _ => Err(Syntax::bad("bad function name", line)),
            },
            At::Pattern { first: true } => {
                self.at = At::Pattern { first: false };
                Ok(())
            }
            _ => Err(unexpected("\"(\"", None, line)),
        }
    }

    fn close_paren(&mut self, line: usize) -> Result<(), Syntax> {
        match self.at {
            At::Parens => self.at = At::Body,
            At::PatternEnd => self.at = At::Command,
            _ => self.close(")", line)?,
        }
        Ok(())
    }

    fn redirection(&mut self, operator: &str, line: usize) -> Result<(), Syntax> {
        match self.at {
            At::Command | At::Begin | At::Must => self.at = At::Name,
            At::Name | At::After | At::Test => {}
            At::Argument { .. } => self.at = At::Argument { first: false },
            _ => return Err(unexpected("redirection", None, line)),
        }
        self.target = Some(match operator {
            "<<" => Target::Here { tabs: false },
            "<<-" => Target::Here { tabs: true },
            "&>" => Target::Both,
            _ => Target::File,
        });
        Ok(())
    }
}

/// Says that something should not be there, in ash's words.
pub(super) fn unexpected(what: &str, expected: Option<&str>, line: usize) -> Syntax {
    let expected = expected.map_or_else(String::new, |word| format!(" (expecting \"{word}\")"));
    Syntax::bad(&format!("unexpected {what}{expected}"), line)
}

/// What ash calls an operator.
fn named(operator: &str) -> String {
    match operator {
        "\n" => "newline".to_owned(),
        "<" | ">" | ">>" | "<<" | "<<-" | "<&" | ">&" | "<>" | ">|" | "&>" => "redirection".to_owned(),
        _ => format!("\"{operator}\""),
    }
}

/// What ash calls a word: a reserved one by itself.
fn quoted_word(word: &str) -> String {
    const RESERVED: &[&str] =
        &["!", "{", "}", "case", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in", "then", "until", "while"];
    if RESERVED.contains(&word) { format!("\"{word}\"") } else { "word".to_owned() }
}

/// Whether a variable or function may be called so.
pub(in crate::shell) fn is_name(word: &str) -> bool {
    let mut bytes = word.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether a word gives a variable a value.
fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| is_name(name))
}
