//! The one test binary: every test that is about more than one room.

mod bad_input;
mod kube_rs;
mod replay;
mod story;
mod tidy;
