//! The one test binary: every test that is about more than one room.

mod alone;
mod api_apply;
mod api_followers;
mod api_subresources;
mod api_watch;
mod api_writes;
mod bad_input;
mod kube_rs;
mod kubectl_create;
mod kubectl_drain;
mod path;
mod python;
mod replay;
mod story;
mod tidy;
