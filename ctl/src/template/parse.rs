//! From the tokens of a template to its nodes.

use std::collections::BTreeMap;

use super::{
    Command, Node, Pipe, What, Word, functions,
    lex::{Token, Tokens, Wrong, tokens},
};

/// The nodes of the template, and of those it defines.
type Parsed = (Vec<Node>, BTreeMap<String, Vec<Node>>);

/// Reads a whole template; what is wrong comes with its line.
pub(super) fn template(text: &str) -> Result<Parsed, (usize, String)> {
    let with_line = |(at, why): Wrong| (1 + text[..at.min(text.len())].matches('\n').count(), why);
    let tokens = tokens(text).map_err(with_line)?;
    let variables = vec!["$".to_owned()];
    let mut parser = Parser { tokens, at: 0, end: text.len(), variables, loops: 0, defined: BTreeMap::new() };
    match parser.list().map_err(with_line)? {
        (nodes, Stop::End) => Ok((nodes, parser.defined)),
        (_, Stop::Word(at, word)) => Err(with_line((at, format!("unexpected {{{{{word}}}}}")))),
    }
}

/// What ended a list of nodes.
enum Stop {
    /// The end of the template.
    End,
    /// `end` or `else`, whose braces are still to be closed.
    Word(usize, String),
}

struct Parser {
    tokens: Tokens,
    at: usize,
    /// Where the text ends.
    end: usize,
    /// The variables that are known here.
    variables: Vec<String>,
    loops: usize,
    defined: BTreeMap<String, Vec<Node>>,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn place(&self) -> usize {
        self.tokens.get(self.at).map_or(self.end, |(at, _)| *at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.at += 1;
        token
    }

    fn spaces(&mut self) {
        while self.peek() == Some(&Token::Space) {
            self.at += 1;
        }
    }

    /// Takes the closing braces.
    fn close(&mut self, context: &str) -> Result<(), Wrong> {
        self.spaces();
        let at = self.place();
        match self.next() {
            Some(Token::Close) => Ok(()),
            Some(other) => Err((at, format!("unexpected {} in {context}", shown(&other)))),
            None => Err((at, "unexpected EOF".into())),
        }
    }

    fn list(&mut self) -> Result<(Vec<Node>, Stop), Wrong> {
        let mut nodes = Vec::new();
        loop {
            match self.next() {
                None => return Ok((nodes, Stop::End)),
                Some(Token::Text(text)) => nodes.push(Node::Text(text)),
                Some(_) => {
                    self.spaces();
                    let at = self.place();
                    if let Some(Token::Word(word)) = self.peek().cloned() {
                        if word == "end" || word == "else" {
                            self.at += 1;
                            return Ok((nodes, Stop::Word(at, word)));
                        }
                        if let Some(control) = self.control(&word, at)? {
                            nodes.extend(control);
                            continue;
                        }
                    }
                    let pipe = self.pipe("command")?;
                    self.close("command")?;
                    nodes.push(Node::Action(pipe));
                }
            }
        }
    }

    /// What begins with one of the words that are no functions; none where this is another word.
    fn control(&mut self, word: &str, at: usize) -> Result<Option<Vec<Node>>, Wrong> {
        self.at += 1;
        let node = match word {
            "if" | "with" | "range" => self.branch(word)?,
            "break" | "continue" => {
                self.close(word)?;
                if self.loops == 0 {
                    return Err((at, format!("{{{{{word}}}}} outside {{{{range}}}}")));
                }
                if word == "break" { Node::Break } else { Node::Continue }
            }
            "define" | "block" => {
                let name = self.name(word)?;
                let pipe = if word == "block" { Some(self.pipe("block clause")?) } else { None };
                self.close(word)?;
                let outer = std::mem::replace(&mut self.variables, vec!["$".into()]);
                let (nodes, stop) = self.list()?;
                self.variables = outer;
                self.ended(stop)?;
                self.defined.insert(name.clone(), nodes);
                match pipe {
                    Some(pipe) => Node::Call(name, Some(pipe), at),
                    None => return Ok(Some(Vec::new())),
                }
            }
            "template" => {
                let name = self.name(word)?;
                self.spaces();
                let pipe = if self.peek() == Some(&Token::Close) { None } else { Some(self.pipe("template clause")?) };
                self.close("template")?;
                Node::Call(name, pipe, at)
            }
            _ => {
                self.at -= 1;
                return Ok(None);
            }
        };
        Ok(Some(vec![node]))
    }

    fn name(&mut self, word: &str) -> Result<String, Wrong> {
        self.spaces();
        let at = self.place();
        match self.next() {
            Some(Token::Quoted(name, _)) => Ok(name),
            Some(other) => Err((at, format!("unexpected {} in {word} clause", shown(&other)))),
            None => Err((at, "unexpected EOF".into())),
        }
    }

    fn ended(&mut self, stop: Stop) -> Result<(), Wrong> {
        match stop {
            Stop::Word(_, word) if word == "end" => self.close("end"),
            Stop::Word(at, word) => Err((at, format!("unexpected {{{{{word}}}}}"))),
            Stop::End => Err((self.end, "unexpected EOF".into())),
        }
    }

    fn branch(&mut self, word: &str) -> Result<Node, Wrong> {
        let known = self.variables.len();
        let pipe = self.pipe(word)?;
        self.close(word)?;
        self.loops += usize::from(word == "range");
        let (then, stop) = self.list()?;
        self.loops -= usize::from(word == "range");
        let otherwise = match stop {
            Stop::Word(_, ended) if ended == "else" => self.otherwise(word)?,
            stop => {
                self.ended(stop)?;
                Vec::new()
            }
        };
        self.variables.truncate(known);
        Ok(match word {
            "if" => Node::If(pipe, then, otherwise),
            "with" => Node::With(pipe, then, otherwise),
            _ => Node::Range(pipe, then, otherwise),
        })
    }

    /// What follows `else`: another `if` or `with`, which takes the end for itself, or a list.
    fn otherwise(&mut self, word: &str) -> Result<Vec<Node>, Wrong> {
        self.spaces();
        if word != "range" && self.peek() == Some(&Token::Word(word.to_owned())) {
            self.at += 1;
            return Ok(vec![self.branch(word)?]);
        }
        self.close("else")?;
        let (nodes, stop) = self.list()?;
        match stop {
            Stop::Word(at, ended) if ended == "else" => Err((at, "expected end; found {{else}}".into())),
            stop => self.ended(stop).map(|()| nodes),
        }
    }

    fn pipe(&mut self, context: &str) -> Result<Pipe, Wrong> {
        self.spaces();
        let mut pipe = Pipe { at: self.place(), ..Pipe::default() };
        self.declarations(&mut pipe, context);
        loop {
            self.spaces();
            let at = self.place();
            match self.peek() {
                Some(Token::Close | Token::RightParen) => break,
                None => return Err((at, "unexpected EOF".into())),
                _ => {}
            }
            let command = self.command(context)?;
            let first = &command.words[0];
            if !pipe.commands.is_empty() && !matches!(first.what, What::Field(_) | What::Variable(..) | What::Function(_) | What::Pipe(..))
            {
                let stage = pipe.commands.len() + 1;
                return Err((at, format!("non executable command in pipeline stage {stage}")));
            }
            pipe.commands.push(command);
        }
        if pipe.commands.is_empty() {
            return Err((pipe.at, format!("missing value for {context}")));
        }
        if !pipe.assigns {
            self.variables.extend(pipe.variables.iter().cloned());
        }
        Ok(pipe)
    }

    /// `$a :=`, `$a =`, `$a, $b :=` in front of a pipe.
    fn declarations(&mut self, pipe: &mut Pipe, context: &str) {
        let start = self.at;
        let mut names = Vec::new();
        while let Some(Token::Variable(name)) = self.peek().cloned() {
            self.at += 1;
            names.push(name);
            self.spaces();
            match self.next() {
                Some(Token::Comma) if context == "range" && names.len() < 2 => self.spaces(),
                Some(sign @ (Token::Declare | Token::Assign)) => {
                    pipe.variables = names;
                    pipe.assigns = sign == Token::Assign;
                    return;
                }
                _ => break,
            }
        }
        self.at = start;
    }

    fn command(&mut self, context: &str) -> Result<Command, Wrong> {
        let at = self.place();
        let mut words: Vec<Word> = Vec::new();
        loop {
            let spaced = self.peek() == Some(&Token::Space);
            self.spaces();
            let place = self.place();
            match self.peek() {
                Some(Token::Close | Token::RightParen) => break,
                Some(Token::Pipe) if words.is_empty() => return Err((place, format!("missing value for {context}"))),
                Some(Token::Pipe) => {
                    self.at += 1;
                    self.spaces();
                    if matches!(self.peek(), Some(Token::Close | Token::RightParen)) {
                        return Err((place, format!("missing value for {context}")));
                    }
                    break;
                }
                _ if !words.is_empty() && !spaced => {
                    let other = self.next().map_or_else(|| "EOF".to_owned(), |token| shown(&token));
                    return Err((place, format!("unexpected {other} in operand")));
                }
                _ => words.push(self.operand(context)?),
            }
        }
        Ok(Command { at, words })
    }

    fn operand(&mut self, context: &str) -> Result<Word, Wrong> {
        let mut at = self.place();
        let token = self.next();
        let mut what = match token {
            Some(Token::Dot) => What::Dot,
            Some(Token::Field(name)) => What::Field(vec![name]),
            Some(Token::Variable(name)) if self.variables.contains(&name) => What::Variable(name, Vec::new()),
            Some(Token::Variable(name)) => return Err((at, format!("undefined variable {}", crate::golang::quote(&name)))),
            Some(Token::Int(value, text)) => What::Int(value, text),
            Some(Token::Float(value, text)) => What::Float(value, text),
            Some(Token::Quoted(value, text)) => What::Text(value, text),
            Some(Token::Word(word)) => match word.as_str() {
                "nil" => What::Nil,
                "true" | "false" => What::Bool(word == "true"),
                name if functions::exists(name) => What::Function(word),
                _ => return Err((at, format!("function {} not defined", crate::golang::quote(&word)))),
            },
            Some(Token::LeftParen) => {
                let pipe = self.pipe("parenthesized pipeline")?;
                self.spaces();
                self.at += 1;
                What::Pipe(pipe, Vec::new())
            }
            Some(other) => return Err((at, format!("unexpected {} in {context}", shown(&other)))),
            None => return Err((at, "unexpected EOF".into())),
        };
        let mut first = true;
        while let Some(Token::Field(name)) = self.peek().cloned() {
            match &mut what {
                What::Field(names) | What::Variable(_, names) | What::Pipe(_, names) => names.push(name),
                _ => return Err((at, format!("unexpected . after term {}", crate::golang::quote(&Word { at, what }.text())))),
            }
            // Complaints about a chain point at its second link.
            if std::mem::take(&mut first) {
                at = self.place();
            }
            self.at += 1;
        }
        Ok(Word { at, what })
    }
}

/// A token as complaints name it.
fn shown(token: &Token) -> String {
    let text = match token {
        Token::Text(text) | Token::Word(text) | Token::Variable(text) => text.clone(),
        Token::Int(_, text) | Token::Float(_, text) | Token::Quoted(_, text) => text.clone(),
        Token::Field(name) => format!(".{name}"),
        Token::Open => "{{".into(),
        Token::Close => "}}".into(),
        Token::Space => " ".into(),
        Token::Dot => ".".into(),
        Token::Pipe => "|".into(),
        Token::Comma => ",".into(),
        Token::Declare => ":=".into(),
        Token::Assign => "=".into(),
        Token::LeftParen => "(".into(),
        Token::RightParen => ")".into(),
    };
    match token {
        Token::Word(word)
            if ["if", "else", "end", "range", "with", "define", "template", "block", "break", "continue"].contains(&word.as_str()) =>
        {
            format!("<{word}>")
        }
        _ => crate::golang::quote(&text),
    }
}
