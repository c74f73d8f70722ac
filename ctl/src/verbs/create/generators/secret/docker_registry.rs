//! `create secret docker-registry`.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{super::sources::file, Named, secret};
use crate::error::{Result, usage};

const KEY: &str = ".dockerconfigjson";

/// Create a secret for use with a Docker registry.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    named: Named,
    /// The registry.
    #[arg(long, value_name = "URL", default_value = "https://index.docker.io/v1/")]
    docker_server: String,
    /// Who logs in.
    #[arg(long, value_name = "NAME", default_value = "")]
    docker_username: String,
    /// With which password.
    #[arg(long, value_name = "PASSWORD", default_value = "")]
    docker_password: String,
    /// The mail address of who logs in.
    #[arg(long, value_name = "ADDRESS", default_value = "")]
    docker_email: String,
    /// A file with all of that, as docker keeps it.
    #[arg(long, value_name = "[KEY=]PATH", value_delimiter = ',')]
    from_file: Vec<String>,
}

pub(super) fn made(args: Args) -> Result<(Named, Value)> {
    let name = args.named.generating.name("secret docker-registry")?;
    let mut entries = Vec::new();
    for source in &args.from_file {
        entries.extend(file(source, Some(KEY))?);
    }
    if args.from_file.is_empty() {
        if args.docker_username.is_empty() || args.docker_password.is_empty() || args.docker_server.is_empty() {
            return Err(usage(
                "either --from-file or the combination of --docker-username, --docker-password and --docker-server is required",
            ));
        }
        entries.push((KEY.to_owned(), configuration(&args).into_bytes()));
    }
    let secret = secret(name, "kubernetes.io/dockerconfigjson", entries, args.named.append_hash)?;
    Ok((args.named, secret))
}

/// What docker keeps about a registry, byte for byte as Go writes it.
fn configuration(args: &Args) -> String {
    let quoted = |text: &str| Value::from(text).to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    let login = STANDARD.encode(format!("{}:{}", args.docker_username, args.docker_password));
    let email = if args.docker_email.is_empty() { String::new() } else { format!("\"email\":{},", quoted(&args.docker_email)) };
    format!(
        "{{\"auths\":{{{}:{{\"username\":{},\"password\":{},{email}\"auth\":{}}}}}}}",
        quoted(&args.docker_server),
        quoted(&args.docker_username),
        quoted(&args.docker_password),
        quoted(&login),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args as _, Command, FromArgMatches};

    /// What the real kubectl makes of the same.
    #[test]
    fn the_configuration_is_dockers() {
        let said = |line: &str| {
            let matches = Args::augment_args(Command::new("docker-registry")).try_get_matches_from(line.split(' ')).unwrap();
            made(Args::from_arg_matches(&matches).unwrap()).unwrap().1
        };
        assert_eq!(
            said("x x --docker-username=u --docker-password=p<&>")["data"][KEY],
            "eyJhdXRocyI6eyJodHRwczovL2luZGV4LmRvY2tlci5pby92MS8iOnsidXNlcm5hbWUiOiJ1IiwicGFzc3dvcmQiOiJwXHUwMDNjXHUwMDI2XHUwMDNlIiwiYXV0aCI6ImRUcHdQQ1krIn19fQ=="
        );
        let named = said("x x --docker-username=u --docker-password=p --docker-email=e --docker-server=s --append-hash");
        assert_eq!(named["metadata"]["name"], "x-7g88g5bgh5");
    }
}
