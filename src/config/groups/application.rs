//! Identity, address and life cycle of the process.

use crate::config::catalogue::{derived, is, settings};
use crate::config::reader::Reader;
use crate::config::sections::{AppSettings, Environment};
use crate::config::syntax::{Choice, Flag, Folder, Host, LogFilter, Seconds, Text, Whole};

settings! {
    Application:
    APP_NAME: Text = Text::up_to(100), is("AI Chat Orchestrator"),
        "name shown by `/info` and in the API documentation";
    VERSION: Text = Text::up_to(50), derived("the binary's own", "2.0.0"),
        "version shown by `/info`";
    ENVIRONMENT: Choice<Environment> = Choice(&[
        ("development", Environment::Development),
        ("staging", Environment::Staging),
        ("production", Environment::Production),
    ]), is("development"),
        "production refuses development defaults, staging warns of them";
    DEBUG: Flag = Flag, is("false"),
        "raises LOG_LEVEL from INFO to DEBUG and makes logs readable; never shows internals in an answer";
    LOG_LEVEL: LogFilter = LogFilter, is("INFO"),
        "least level that is logged, or a filter by target";
    HOST: Host = Host, is("0.0.0.0"),
        "address or host name to listen on";
    PORT: Whole<u16> = Whole::new(0, 65_535), is("8000"),
        "port to listen on; 0 picks a free one";
    SHUTDOWN_TIMEOUT: Seconds = Seconds::new(0.0, 3600.0), is("30"),
        "seconds that running answers may go on after SIGTERM";
    DATA_DIR: Folder = Folder, is("./data"),
        "folder for the SQLite file, the generated secret and the journal";
}

/// The level that `DEBUG=true` replaces.
const ORDINARY_LEVEL: &str = "INFO";

pub fn read(reader: &mut Reader) -> AppSettings {
    let debug = reader.value(&DEBUG);
    let log_level = reader.value(&LOG_LEVEL);
    let raised = debug && log_level.eq_ignore_ascii_case(ORDINARY_LEVEL);
    AppSettings {
        name: reader.value(&APP_NAME),
        version: reader
            .optional(&VERSION)
            .unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned()),
        environment: reader.value(&ENVIRONMENT),
        debug,
        log_level: if raised { "DEBUG".to_owned() } else { log_level },
        host: reader.value(&HOST),
        port: reader.value(&PORT),
        shutdown_timeout: reader.value(&SHUTDOWN_TIMEOUT),
        data_dir: reader.value(&DATA_DIR),
    }
}
