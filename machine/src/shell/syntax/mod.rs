//! From text to commands.
//!
//! [`lex`] and [`shape`] read one complete command, word by word; the parser crate says what it means; here that becomes what the interpreter runs.
//! Knows nothing of processes or files.

mod lex;
mod node;
mod shape;
mod word;

use std::sync::Arc;

use brush_parser::{ParseError, ParserOptions, SourceInfo, Token, ast};

pub(super) use node::{Ask, Chain, Command, Compound, Item, List, Piece, Pipeline, Redirect, Simple, To, Word};
pub(super) use shape::is_name;
pub(super) use word::parse_double;

/// What is wrong with a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Syntax {
    /// In ash's words, without `syntax error: `.
    pub(super) message: String,
    /// On which line.
    pub(super) line: usize,
    /// Whether more text may make it right.
    pub(super) more: bool,
}

impl Syntax {
    fn bad(message: &str, line: usize) -> Self {
        Self { message: message.to_owned(), line, more: false }
    }

    fn more(message: &str, line: usize) -> Self {
        Self { message: message.to_owned(), line, more: true }
    }
}

/// A script, read command by command.
#[derive(Clone, Debug)]
pub(super) struct Script {
    text: Arc<str>,
    pos: usize,
    line: usize,
}

/// A complete command.
#[derive(Debug)]
pub(super) struct Complete {
    /// What it is; empty: only new lines and comments.
    pub(super) list: List,
    /// Whether the text ends with it, without a new line.
    pub(super) last: bool,
}

impl Script {
    /// A script whose first line has this number.
    pub(super) fn new(text: Arc<str>, line: usize) -> Self {
        Self { text, pos: 0, line }
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &str {
        &self.text[self.pos..]
    }

    /// Adds to the text. What has been read is forgotten.
    pub(super) fn extend(&mut self, more: &str) {
        self.text = [self.rest(), more].concat().into();
        self.pos = 0;
    }

    /// The next complete command; `None` at the end. After an error nothing has been read.
    pub(super) fn next(&mut self) -> Result<Option<Complete>, Syntax> {
        if self.pos >= self.text.len() {
            return Ok(None);
        }
        let mut lexer = lex::Lexer::new(&self.text, self.pos, self.line);
        let mut shape = shape::Shape::new();
        let last = lexer.command(&mut shape)?;
        let list = parse(&shape.tokens, lexer.line)?;
        (self.pos, self.line) = (lexer.pos, lexer.line);
        Ok(Some(Complete { list, last }))
    }
}

/// How many tokens a command may have.
const MOST_TOKENS: usize = 100_000;

/// Has the parser crate read the tokens of a command.
fn parse(tokens: &Vec<Token>, line: usize) -> Result<List, Syntax> {
    if tokens.len() > MOST_TOKENS {
        return Err(Syntax::bad("too long", line));
    }
    if tokens.iter().all(|token| matches!(token, Token::Operator(operator, _) if operator == "\n")) {
        return Ok(List::new());
    }
    // The parser crate recurses, and so does what takes its tree apart; much is built on the stack where it is not optimised.
    stacker::maybe_grow(2 << 20, 8 << 20, || grow(tokens, line))
}

fn grow(tokens: &Vec<Token>, line: usize) -> Result<List, Syntax> {
    let options = ParserOptions { enable_extended_globbing: false, posix_mode: true, sh_mode: true, tilde_expansion: true };
    let parsed = brush_parser::parse_tokens(tokens, &options, &SourceInfo::default());
    let program = parsed.map_err(|error| match error {
        ParseError::ParsingNearToken(Token::Word(..)) => shape::unexpected("word", None, line),
        ParseError::ParsingNearToken(Token::Operator(operator, _)) if operator == "\n" => shape::unexpected("newline", None, line),
        ParseError::ParsingNearToken(Token::Operator(operator, _)) => shape::unexpected(&format!("\"{operator}\""), None, line),
        ParseError::ParsingAtEndOfInput | ParseError::Tokenizing { .. } => shape::unexpected("end of file", None, line),
    })?;
    let mut items = List::new();
    for command in program.complete_commands {
        items.extend(list(command)?);
    }
    Ok(items)
}

fn list(list: ast::CompoundList) -> Result<List, Syntax> {
    let item = |ast::CompoundListItem(chain, separator)| {
        let background = matches!(separator, ast::SeparatorOperator::Async);
        let text = if background { chain.to_string() } else { String::new() };
        Ok(Item { chain: Arc::new(self::chain(chain)?), background, text })
    };
    list.0.into_iter().map(item).collect()
}

fn chain(chain: ast::AndOrList) -> Result<Chain, Syntax> {
    let other = |item| match item {
        ast::AndOr::And(next) => Ok((true, pipeline(next)?)),
        ast::AndOr::Or(next) => Ok((false, pipeline(next)?)),
    };
    Ok(Chain { first: pipeline(chain.first)?, rest: chain.additional.into_iter().map(other).collect::<Result<_, Syntax>>()? })
}

fn pipeline(pipeline: ast::Pipeline) -> Result<Pipeline, Syntax> {
    let stages = pipeline.seq.into_iter().map(|stage| command(stage).map(Arc::new)).collect::<Result<_, _>>()?;
    Ok(Pipeline { not: pipeline.bang, stages })
}

fn command(command: ast::Command) -> Result<Command, Syntax> {
    match command {
        ast::Command::Simple(command) => simple(command).map(Command::Simple),
        ast::Command::Compound(command, redirects) => Ok(Command::Compound(compound(command)?, self::redirects(redirects)?)),
        ast::Command::Function(function) => {
            // Read, a text takes some times as much as written.
            let size = 1024 + 16 * function.body.to_string().len();
            let ast::FunctionBody(body, redirects) = function.body;
            let body = Arc::new(Command::Compound(compound(body)?, self::redirects(redirects)?));
            Ok(Command::Function(function.fname.value, body, size))
        }
        ast::Command::ExtendedTest(_) => Err(Syntax::bad("unexpected \"[[\"", 1)),
    }
}

fn compound(command: ast::CompoundCommand) -> Result<Compound, Syntax> {
    Ok(match command {
        ast::CompoundCommand::BraceGroup(group) => Compound::Group(list(group.list)?),
        ast::CompoundCommand::Subshell(subshell) => Compound::Subshell(Arc::new(list(subshell.list)?)),
        ast::CompoundCommand::ForClause(clause) => {
            let values =
                clause.values.map(|values| values.iter().filter(|value| value.value != shape::NOTHING).map(word).collect::<Result<_, _>>());
            let values = values.transpose()?;
            Compound::For(clause.variable_name, values, list(clause.body.list)?)
        }
        ast::CompoundCommand::CaseClause(clause) => {
            let mut arms = Vec::new();
            for item in clause.cases {
                let patterns = item.patterns.iter().map(word).collect::<Result<_, _>>()?;
                arms.push((patterns, item.cmd.map(list).transpose()?.unwrap_or_default()));
            }
            Compound::Case(word(&clause.value)?, arms)
        }
        ast::CompoundCommand::IfClause(clause) => {
            let mut arms = vec![(list(clause.condition)?, list(clause.then)?)];
            let mut otherwise = None;
            for part in clause.elses.into_iter().flatten() {
                match part.condition {
                    Some(condition) => arms.push((list(condition)?, list(part.body)?)),
                    None => otherwise = Some(list(part.body)?),
                }
            }
            Compound::If(arms, otherwise)
        }
        ast::CompoundCommand::WhileClause(ast::WhileOrUntilClauseCommand(condition, body, _)) => {
            Compound::Loop(false, list(condition)?, list(body.list)?)
        }
        ast::CompoundCommand::UntilClause(ast::WhileOrUntilClauseCommand(condition, body, _)) => {
            Compound::Loop(true, list(condition)?, list(body.list)?)
        }
        ast::CompoundCommand::Arithmetic(_) | ast::CompoundCommand::ArithmeticForClause(_) => {
            return Err(Syntax::bad("unexpected \"(\"", 1));
        }
    })
}

fn simple(command: ast::SimpleCommand) -> Result<Simple, Syntax> {
    use ast::CommandPrefixOrSuffixItem as Part;
    let mut simple = Simple { line: 0, assignments: Vec::new(), words: Vec::new(), whole: Vec::new(), redirects: Vec::new() };
    let prefix = command.prefix.into_iter().flat_map(|prefix| prefix.0);
    let name = command.word_or_name.into_iter().map(Part::Word);
    for part in prefix.chain(name).chain(command.suffix.into_iter().flat_map(|suffix| suffix.0)) {
        match part {
            Part::IoRedirect(redirect) => simple.redirects.push(self::redirect(redirect)?),
            Part::Word(text) | Part::AssignmentWord(_, text) => {
                let line = line_of(&text);
                if simple.line == 0 {
                    simple.line = line;
                }
                match text.value.split_once('=').filter(|(name, _)| is_name(name)) {
                    Some((name, value)) if simple.words.is_empty() => {
                        simple.assignments.push((name.to_owned(), word::parse_value(value, line)?));
                    }
                    Some((name, value)) if declares(&simple.words) => {
                        let mut word = word::parse_value(value, line)?;
                        word.0.insert(0, Piece::Text { text: format!("{name}="), quoted: true });
                        simple.whole.push(simple.words.len());
                        simple.words.push(word);
                    }
                    _ => simple.words.push(word::parse(&text.value, line)?),
                }
            }
            Part::ProcessSubstitution(..) => return Err(Syntax::bad("unexpected \"(\"", simple.line)),
        }
    }
    Ok(simple)
}

/// Whether a command declares variables, so that what looks like an assignment behind it is not split.
fn declares(words: &[Word]) -> bool {
    match words.first().map(|word| word.0.as_slice()) {
        Some([Piece::Text { text, quoted: false }]) => matches!(text.as_str(), "export" | "readonly" | "local"),
        _ => false,
    }
}

fn redirects(list: Option<ast::RedirectList>) -> Result<Vec<Redirect>, Syntax> {
    list.into_iter().flat_map(|list| list.0).map(redirect).collect()
}

fn redirect(redirect: ast::IoRedirect) -> Result<Redirect, Syntax> {
    use ast::{IoFileRedirectKind as Kind, IoFileRedirectTarget as Target};
    let number = |fd: Option<i32>, otherwise: u32| fd.and_then(|fd| u32::try_from(fd).ok()).unwrap_or(otherwise);
    match redirect {
        ast::IoRedirect::File(fd, kind, target) => {
            let (to, otherwise) = match kind {
                Kind::Read => (To::Read, 0),
                Kind::Write => (To::Write, 1),
                Kind::Append => (To::Append, 1),
                Kind::ReadAndWrite => (To::ReadWrite, 0),
                Kind::Clobber => (To::Clobber, 1),
                Kind::DuplicateInput => (To::Duplicate(false), 0),
                Kind::DuplicateOutput => (To::Duplicate(fd.is_none()), 1),
            };
            let text = match target {
                Target::Filename(text) | Target::Duplicate(text) => text,
                Target::Fd(fd) => ast::Word::new(&fd.to_string()),
                Target::ProcessSubstitution(..) => return Err(Syntax::bad("unexpected \"(\"", 1)),
            };
            Ok(Redirect { fd: number(fd, otherwise), to, word: word(&text)? })
        }
        ast::IoRedirect::HereDocument(fd, document) => {
            let text = document.doc.value;
            let word =
                if document.requires_expansion { word::parse_here(&text, 1)? } else { Word(vec![Piece::Text { text, quoted: true }]) };
            Ok(Redirect { fd: number(fd, 0), to: To::Here, word })
        }
        ast::IoRedirect::HereString(..) | ast::IoRedirect::OutputAndError(..) => Err(shape::unexpected("redirection", None, 1)),
    }
}

fn word(word: &ast::Word) -> Result<Word, Syntax> {
    word::parse(&word.value, line_of(word))
}

fn line_of(word: &ast::Word) -> usize {
    word.loc.as_ref().map_or(1, |loc| loc.start.line)
}
