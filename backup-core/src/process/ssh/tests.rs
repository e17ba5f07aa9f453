use super::*;

fn arguments(ssh: &Ssh) -> String {
    let args: Vec<_> = ssh.arguments().iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    args.join(" ")
}

#[test]
fn a_destination_is_a_name_and_nothing_else() {
    for (given, destination, port) in [
        ("db", "db", None),
        ("backup@db.example", "backup@db.example", None),
        ("CORP\\backup@db", "CORP\\backup@db", None),
        ("ssh://backup@db.example:2222", "backup@db.example", Some(2222)),
        ("ssh://db.example/", "db.example", None),
        ("ssh://u@[::1]:22", "u@::1", Some(22)),
        ("ssh://[fe80::1%eth0]", "fe80::1%eth0", None),
    ] {
        let ssh = Ssh::new(given).unwrap();
        assert_eq!((ssh.destination(), ssh.port), (destination, port), "{given}");
    }
    for bad in [
        "",
        "-oProxyCommand=id",
        "u@-oProxyCommand=id",
        "@h",
        "u@",
        "a b",
        "a\nb",
        "h;id",
        "h$(id)",
        "`id`@h",
        "u'@h",
        "ssh://u:password@h",
        "ssh://h:port",
        "ssh://h:70000",
        "ssh://[::1",
        "ssh://h/path",
        "ssh://-h",
        "u\\@h",
    ] {
        assert_eq!(Ssh::new(bad).unwrap_err().kind(), ErrorKind::InvalidInput, "{bad:?}");
    }
}

#[test]
fn options_that_would_weaken_the_transport_are_refused_however_they_are_written() {
    let ssh = || Ssh::new("h").unwrap();
    for (name, value) in [
        ("StrictHostKeyChecking", "no"),
        ("stricthostkeychecking", "off"),
        ("STRICTHOSTKEYCHECKING", "accept-new"),
        ("batchMode", "no"),
        ("ControlMaster", "auto"),
        ("controlpath", "/tmp/x"),
        ("ControlPersist", "yes"),
        ("RemoteCommand", "id"),
        ("RequestTTY", "force"),
        ("ForkAfterAuthentication", "yes"),
        ("StdinNull", "yes"),
        ("LocalCommand", "id"),
        ("PermitLocalCommand", "yes"),
        ("SessionType", "none"),
        ("LogLevel", "QUIET"),
        ("NoHostAuthenticationForLocalhost", "yes"),
        ("ProxyJump=x -oBatchMode", "no"),
        ("ProxyJump", "a\nBatchMode no"),
        ("", "x"),
    ] {
        assert_eq!(ssh().option(name, value).unwrap_err().kind(), ErrorKind::InvalidInput, "{name}");
    }
    let allowed = ssh().option("ProxyCommand", "nc %h %p").unwrap().option("StrictHostKeyChecking", "YES");
    assert!(arguments(&allowed.unwrap()).contains("-o ProxyCommand=nc %h %p"));
}

#[test]
fn what_this_relies_on_comes_before_what_the_caller_adds() {
    let ssh = Ssh::new("h").unwrap().option("ServerAliveInterval", "5").unwrap().port(7).identity("/k y");
    let args = arguments(&ssh);
    let at = |text: &str| args.find(text).unwrap_or_else(|| panic!("{text} is not in {args}"));
    assert!(at("StrictHostKeyChecking=yes") < at("ServerAliveInterval=5"));
    assert!(at("ServerAliveInterval=5") < at("ServerAliveInterval=15"), "the first value counts");
    assert!(args.ends_with("-i /k y -o IdentitiesOnly=yes -p 7"), "{args}");
}

#[test]
fn a_clone_shares_the_connection_until_its_settings_differ() {
    let ssh = Ssh::new("h").unwrap();
    assert!(Arc::ptr_eq(&ssh.connection, &ssh.clone().connection));
    assert!(Arc::ptr_eq(&ssh.connection, &ssh.clone().wire(WireCompression::Zstd).connection));
    assert!(!Arc::ptr_eq(&ssh.connection, &ssh.clone().port(1).connection));
}
