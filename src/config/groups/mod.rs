//! The settings, one file per group: what each is called and allows, and how the group is read.

pub mod application;
pub mod business;
pub mod cache;
pub mod database;
pub mod features;
pub mod load;
pub mod models;
pub mod monitoring;
pub mod security;
pub mod supabase;

use super::catalogue::SettingInfo;
use super::reader::Reader;
use super::sections::{Notes, Settings};

/// Every setting, in the order of the documentation.
pub fn catalogue() -> Vec<SettingInfo> {
    [
        application::catalogue(),
        database::catalogue(),
        supabase::catalogue(),
        models::catalogue(),
        cache::catalogue(),
        security::catalogue(),
        load::catalogue(),
        business::catalogue(),
        features::catalogue(),
        monitoring::catalogue(),
    ]
    .concat()
}

/// Reads every group. Groups whose defaults follow from other groups come after them.
pub fn read(reader: &mut Reader) -> Settings {
    let app = application::read(reader);
    let database = database::read(reader, &app.data_dir);
    let supabase = supabase::read(reader);
    let models = models::read(reader);
    let cache = cache::read(reader);
    let security = security::read(reader, app.environment, supabase.url.as_deref());
    Settings {
        app,
        database,
        supabase,
        models,
        cache,
        security,
        load: load::read(reader),
        business: business::read(reader),
        features: features::read(reader),
        monitoring: monitoring::read(reader),
        notes: Notes::default(),
    }
}
