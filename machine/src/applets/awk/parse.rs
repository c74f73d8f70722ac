//! From words to a tree.

use super::{
    lex::{BUILTINS, Token, Wrong, words},
    tree::{Expr, Function, Place, Redirect, Rule, Source, Stmt, Tree, When},
};

/// How deep a program may nest.
const DEEPEST: usize = 60;

type Parsed<T> = Result<T, Wrong>;

struct Parser {
    words: Vec<(Token, usize)>,
    at: usize,
    depth: usize,
    /// In `print a > b` a `>` is no comparison.
    no_greater: bool,
    /// In `for (a in b)` an `in` is not an operator.
    no_in: bool,
}

/// Reads a program.
pub(super) fn program(text: &str) -> Parsed<Tree> {
    let mut parser = Parser { words: words(text)?, at: 0, depth: 0, no_greater: false, no_in: false };
    let mut tree = Tree::default();
    loop {
        parser.skip_ends();
        if *parser.peek() == Token::End {
            return Ok(tree);
        }
        if parser.take("function") {
            tree.functions.push(parser.function()?);
            continue;
        }
        tree.rules.push(parser.rule()?);
    }
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.words[self.at.min(self.words.len() - 1)].0
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.peek(), Token::Sign(known) if *known == sign)
    }

    fn take(&mut self, sign: &str) -> bool {
        let there = self.is(sign);
        self.at += usize::from(there);
        there
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn wrong<T>(&self) -> Parsed<T> {
        let (token, line) = &self.words[self.at.min(self.words.len() - 1)];
        Err((*line, if *token == Token::End { "Unexpected end of string" } else { "Unexpected token" }.to_owned()))
    }

    fn need(&mut self, sign: &str) -> Parsed<()> {
        if self.take(sign) { Ok(()) } else { self.wrong() }
    }

    fn lines(&mut self) {
        while *self.peek() == Token::Line {
            self.at += 1;
        }
    }

    fn skip_ends(&mut self) {
        while *self.peek() == Token::Line || self.is(";") {
            self.at += 1;
        }
    }

    fn name(&mut self) -> Parsed<String> {
        match self.next() {
            Token::Name(name) | Token::Call(name) => Ok(name),
            _ => {
                self.at -= 1;
                self.wrong()
            }
        }
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err((self.words[self.at.min(self.words.len() - 1)].1, "Too deep".to_owned()));
        }
        let done = inner(self);
        self.depth -= 1;
        done
    }

    fn function(&mut self) -> Parsed<Function> {
        let name = self.name()?;
        self.need("(")?;
        let mut parameters = Vec::new();
        while !self.is(")") {
            parameters.push(self.name()?);
            self.lines();
            if !self.take(",") {
                break;
            }
            self.lines();
        }
        self.need(")")?;
        self.lines();
        Ok(Function { name, parameters, body: self.block()? })
    }

    fn rule(&mut self) -> Parsed<Rule> {
        let when = if self.take("BEGIN") {
            When::Begin
        } else if self.take("END") {
            When::End
        } else if self.is("{") {
            When::Always
        } else {
            let from = self.expr()?;
            if self.take(",") {
                self.lines();
                When::Between(from, self.expr()?)
            } else {
                When::If(from)
            }
        };
        let body = if self.is("{") { Some(self.block()?) } else { None };
        if body.is_none() && matches!(when, When::Begin | When::End) {
            return self.wrong();
        }
        Ok(Rule { when, body })
    }

    fn block(&mut self) -> Parsed<Stmt> {
        self.need("{")?;
        let mut statements = Vec::new();
        loop {
            self.skip_ends();
            if self.take("}") {
                return Ok(Stmt::Block(statements));
            }
            statements.push(self.statement()?);
        }
    }

    /// Behind a simple statement something must end it.
    fn ended(&mut self, statement: Stmt) -> Parsed<Stmt> {
        match self.peek() {
            Token::Line | Token::End => {}
            Token::Sign(";") => self.at += 1,
            Token::Sign("}") => return Ok(statement),
            _ => return self.wrong(),
        }
        self.lines();
        Ok(statement)
    }

    fn statement(&mut self) -> Parsed<Stmt> {
        self.deeper(|parser| {
            if parser.is("{") {
                let block = parser.block()?;
                parser.take(";");
                return Ok(block);
            }
            if parser.take(";") {
                return Ok(Stmt::Block(Vec::new()));
            }
            if parser.take("if") {
                return parser.condition();
            }
            if parser.take("while") {
                parser.need("(")?;
                let condition = parser.expr()?;
                parser.need(")")?;
                if parser.take(";") {
                    return Ok(Stmt::While(condition, Box::new(Stmt::Block(Vec::new()))));
                }
                parser.lines();
                return Ok(Stmt::While(condition, Box::new(parser.statement()?)));
            }
            if parser.take("do") {
                parser.lines();
                let body = parser.statement()?;
                parser.skip_ends();
                parser.need("while")?;
                parser.need("(")?;
                let condition = parser.expr()?;
                parser.need(")")?;
                return parser.ended(Stmt::Do(Box::new(body), condition));
            }
            if parser.take("for") {
                return parser.repetition();
            }
            let simple = parser.simple()?;
            parser.ended(simple)
        })
    }

    fn condition(&mut self) -> Parsed<Stmt> {
        self.need("(")?;
        let condition = self.expr()?;
        self.need(")")?;
        self.lines();
        let then = self.statement()?;
        let before = self.at;
        self.skip_ends();
        if self.take("else") {
            self.lines();
            return Ok(Stmt::If(condition, Box::new(then), Some(Box::new(self.statement()?))));
        }
        self.at = before;
        Ok(Stmt::If(condition, Box::new(then), None))
    }

    fn repetition(&mut self) -> Parsed<Stmt> {
        self.need("(")?;
        let before = self.at;
        if let Token::Name(variable) = self.next()
            && self.take("in")
            && let Token::Name(array) = self.next()
            && self.take(")")
        {
            self.lines();
            return Ok(Stmt::ForIn(variable, array, Box::new(self.statement()?)));
        }
        self.at = before;
        let first = if self.is(";") { None } else { Some(Box::new(self.simple()?)) };
        self.need(";")?;
        self.lines();
        let condition = if self.is(";") { None } else { Some(self.expr()?) };
        self.need(";")?;
        self.lines();
        let step = if self.is(")") { None } else { Some(Box::new(self.simple()?)) };
        self.need(")")?;
        if self.take(";") {
            return Ok(Stmt::For(first, condition, step, Box::new(Stmt::Block(Vec::new()))));
        }
        self.lines();
        Ok(Stmt::For(first, condition, step, Box::new(self.statement()?)))
    }

    /// Whether a statement ends here.
    fn ends(&self) -> bool {
        matches!(self.peek(), Token::Line | Token::End | Token::Sign(";" | "}"))
    }

    fn simple(&mut self) -> Parsed<Stmt> {
        let Token::Sign(sign) = *self.peek() else { return Ok(Stmt::Expr(self.expr()?)) };
        match sign {
            "print" | "printf" => {
                self.at += 1;
                self.output(sign == "printf")
            }
            "break" | "continue" | "next" | "nextfile" => {
                self.at += 1;
                Ok(match sign {
                    "break" => Stmt::Break,
                    "continue" => Stmt::Continue,
                    "next" => Stmt::Next,
                    _ => Stmt::NextFile,
                })
            }
            "exit" | "return" => {
                self.at += 1;
                let value = if self.ends() { None } else { Some(self.expr()?) };
                Ok(if sign == "exit" { Stmt::Exit(value) } else { Stmt::Return(value) })
            }
            "delete" => {
                self.at += 1;
                let array = self.name()?;
                let keys = if self.take("[") {
                    let keys = self.list("]")?;
                    Some(keys)
                } else {
                    None
                };
                Ok(Stmt::Delete(array, keys))
            }
            _ => Ok(Stmt::Expr(self.expr()?)),
        }
    }

    fn output(&mut self, formatted: bool) -> Parsed<Stmt> {
        let outer = std::mem::replace(&mut self.no_greater, true);
        let mut values = Vec::new();
        if !self.ends() && !self.is(">") && !self.is(">>") && !self.is("|") {
            values.push(self.expr()?);
            while self.take(",") {
                self.lines();
                values.push(self.expr()?);
            }
        }
        // `print (a, b)` prints both.
        if let [Expr::Group(inside)] = values.as_slice() {
            values = inside.clone();
        }
        let redirect = if self.take(">") {
            Redirect::Write
        } else if self.take(">>") {
            Redirect::Append
        } else if self.take("|") {
            Redirect::Pipe
        } else {
            Redirect::None
        };
        let target = if redirect == Redirect::None { None } else { Some(self.concat()?) };
        self.no_greater = outer;
        if formatted && values.is_empty() {
            return self.wrong();
        }
        Ok(if formatted { Stmt::Printf(values, redirect, target) } else { Stmt::Print(values, redirect, target) })
    }

    /// Expressions with commas through a closing sign.
    fn list(&mut self, close: &str) -> Parsed<Vec<Expr>> {
        let (greater, within) = (std::mem::take(&mut self.no_greater), std::mem::take(&mut self.no_in));
        let mut values = Vec::new();
        self.lines();
        while !self.is(close) {
            values.push(self.expr()?);
            self.lines();
            if !self.take(",") {
                break;
            }
            self.lines();
        }
        (self.no_greater, self.no_in) = (greater, within);
        self.need(close)?;
        Ok(values)
    }

    fn expr(&mut self) -> Parsed<Expr> {
        self.deeper(Self::assignment)
    }

    fn assignment(&mut self) -> Parsed<Expr> {
        let left = self.choice()?;
        let operator = match self.peek() {
            Token::Sign("=") => None,
            Token::Sign(sign @ ("+=" | "-=" | "*=" | "/=" | "%=" | "^=")) => sign.chars().next(),
            _ => return Ok(left),
        };
        let Expr::Place(place) = left else { return self.wrong() };
        self.at += 1;
        self.lines();
        let value = self.expr()?;
        Ok(Expr::Assign(place, operator, Box::new(value)))
    }

    fn choice(&mut self) -> Parsed<Expr> {
        let condition = self.or()?;
        if !self.take("?") {
            return Ok(condition);
        }
        self.lines();
        let yes = self.expr()?;
        self.lines();
        self.need(":")?;
        self.lines();
        let no = self.expr()?;
        Ok(Expr::Choice(Box::new(condition), Box::new(yes), Box::new(no)))
    }

    fn or(&mut self) -> Parsed<Expr> {
        let mut left = self.and()?;
        while self.take("||") {
            self.lines();
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed<Expr> {
        let mut left = self.membership()?;
        while self.take("&&") {
            self.lines();
            left = Expr::And(Box::new(left), Box::new(self.membership()?));
        }
        Ok(left)
    }

    fn membership(&mut self) -> Parsed<Expr> {
        let mut left = self.matching()?;
        while !self.no_in && self.take("in") {
            let array = self.name()?;
            let keys = if let Expr::Group(keys) = left { keys } else { vec![left] };
            left = Expr::In(keys, array);
        }
        Ok(left)
    }

    fn matching(&mut self) -> Parsed<Expr> {
        let mut left = self.comparison()?;
        loop {
            let inverted = if self.take("~") {
                false
            } else if self.is("!") && matches!(self.words.get(self.at + 1), Some((Token::Sign("~"), _))) {
                self.at += 2;
                true
            } else {
                return Ok(left);
            };
            left = Expr::Match(inverted, Box::new(left), Box::new(self.comparison()?));
        }
    }

    fn comparison(&mut self) -> Parsed<Expr> {
        let left = self.concat()?;
        let left = self.piped(left)?;
        let operator = match self.peek() {
            Token::Sign(">") if self.no_greater => return Ok(left),
            Token::Sign(sign @ ("<" | "<=" | "==" | "!=" | ">" | ">=")) => *sign,
            _ => return Ok(left),
        };
        self.at += 1;
        let right = self.concat()?;
        Ok(Expr::Compare(operator, Box::new(left), Box::new(right)))
    }

    /// `command | getline`
    fn piped(&mut self, left: Expr) -> Parsed<Expr> {
        let mut left = left;
        while self.is("|") && matches!(self.words.get(self.at + 1), Some((Token::Sign("getline"), _))) {
            self.at += 2;
            let place = self.optional_place()?;
            left = Expr::Getline(Source::Command(Box::new(left)), place);
        }
        Ok(left)
    }

    fn concat(&mut self) -> Parsed<Expr> {
        let mut left = self.sum()?;
        loop {
            let begins = match self.peek() {
                Token::Number(_) | Token::Text(_) | Token::Name(_) | Token::Call(_) => true,
                Token::Sign(sign) => {
                    matches!(*sign, "$" | "(" | "!" | "-" | "+" | "++" | "--")
                        && !(*sign == "!" && matches!(self.words.get(self.at + 1), Some((Token::Sign("~"), _))))
                        || BUILTINS.contains(sign)
                }
                _ => false,
            };
            if !begins {
                return Ok(left);
            }
            left = Expr::Concat(Box::new(left), Box::new(self.sum()?));
        }
    }

    fn sum(&mut self) -> Parsed<Expr> {
        let mut left = self.product()?;
        loop {
            let operator = match self.peek() {
                Token::Sign("+") => '+',
                Token::Sign("-") => '-',
                _ => return Ok(left),
            };
            self.at += 1;
            left = Expr::Binary(operator, Box::new(left), Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Parsed<Expr> {
        let mut left = self.unary()?;
        loop {
            let operator = match self.peek() {
                Token::Sign("*") => '*',
                Token::Sign("/") => '/',
                Token::Sign("%") => '%',
                _ => return Ok(left),
            };
            self.at += 1;
            left = Expr::Binary(operator, Box::new(left), Box::new(self.unary()?));
        }
    }

    fn unary(&mut self) -> Parsed<Expr> {
        self.deeper(|parser| {
            if parser.take("!") {
                return Ok(Expr::Not(Box::new(parser.unary()?)));
            }
            if parser.take("-") {
                return Ok(Expr::Minus(Box::new(parser.unary()?)));
            }
            if parser.take("+") {
                return Ok(Expr::Plus(Box::new(parser.unary()?)));
            }
            parser.power()
        })
    }

    fn power(&mut self) -> Parsed<Expr> {
        let base = self.stepped()?;
        if self.take("^") {
            // To the right first, and a sign belongs to the exponent.
            return Ok(Expr::Binary('^', Box::new(base), Box::new(self.unary()?)));
        }
        Ok(base)
    }

    fn stepped(&mut self) -> Parsed<Expr> {
        for (sign, by) in [("++", 1.0), ("--", -1.0)] {
            if self.take(sign) {
                let Expr::Place(place) = self.primary()? else { return self.wrong() };
                return Ok(Expr::Step(place, by, false));
            }
        }
        let value = self.primary()?;
        if let Expr::Place(place) = &value {
            for (sign, by) in [("++", 1.0), ("--", -1.0)] {
                if self.take(sign) {
                    return Ok(Expr::Step(place.clone(), by, true));
                }
            }
        }
        Ok(value)
    }

    fn optional_place(&mut self) -> Parsed<Option<Place>> {
        match self.peek() {
            Token::Name(_) | Token::Sign("$") => match self.primary()? {
                Expr::Place(place) => Ok(Some(place)),
                _ => self.wrong(),
            },
            _ => Ok(None),
        }
    }

    fn primary(&mut self) -> Parsed<Expr> {
        match self.next() {
            Token::Number(number) => Ok(Expr::Number(number)),
            Token::Text(text) => Ok(Expr::Text(text)),
            Token::Pattern(pattern) => Ok(Expr::Pattern(pattern)),
            Token::Name(name) => {
                if self.take("[") {
                    return Ok(Expr::Place(Place::Element(name, self.list("]")?)));
                }
                Ok(Expr::Place(Place::Variable(name)))
            }
            Token::Call(name) => {
                self.need("(")?;
                Ok(Expr::Call(name, self.list(")")?))
            }
            Token::Sign("$") => {
                let index = self.deeper(Self::stepped)?;
                Ok(Expr::Place(Place::Field(Box::new(index))))
            }
            Token::Sign("(") => {
                let mut inside = self.list(")")?;
                match inside.len() {
                    0 => self.wrong(),
                    // In brackets it is no place to be given a value.
                    1 => Ok(Expr::Group(vec![inside.remove(0)])),
                    _ => Ok(Expr::Group(inside)),
                }
            }
            Token::Sign("getline") => {
                let place = self.optional_place()?;
                let source = if self.take("<") { Source::File(Box::new(self.stepped()?)) } else { Source::Main };
                Ok(Expr::Getline(source, place))
            }
            Token::Sign("-") => Ok(Expr::Minus(Box::new(self.unary()?))),
            Token::Sign(builtin) if BUILTINS.contains(&builtin) => {
                let args = if self.take("(") { self.list(")")? } else { Vec::new() };
                Ok(Expr::Builtin(builtin, args))
            }
            _ => {
                self.at -= 1;
                self.wrong()
            }
        }
    }
}
