//! What every program has at hand: options, lines to read, text to write, the ways to stop, and some notions that several share.
//!
//! Knows no program.

mod ask;
mod cformat;
mod clock;
mod copy;
mod escape;
pub(crate) mod http;
mod input;
mod modes;
mod numbers;
mod options;
mod output;
mod paths;
mod people;
mod posix;
mod run;
mod stop;
mod walk;

pub(crate) use ask::confirmed;
pub(crate) use cformat::{Conversion, shortest};
pub(crate) use clock::{Clock, parse_time};
pub(crate) use copy::{Copying, copy, into_directory, pour};
pub(crate) use escape::{Escaped, escape, unescape};
pub(crate) use input::{Input, open_or_complain};
pub(crate) use modes::{apply_mode, mode_letters};
pub(crate) use numbers::{duration, hex, human, suffixed};
pub(crate) use options::{BANNER, Given, Usage};
pub(crate) use output::Out;
pub(crate) use paths::{base, join, parent};
pub(crate) use people::People;
pub(crate) use posix::{Dialect, compile, wildcard};
pub(crate) use run::{execute, started};
pub(crate) use stop::{Outcome, Stop, complain, end, fail, name};
pub(crate) use walk::{Follow, Found, Visit, Walk};
