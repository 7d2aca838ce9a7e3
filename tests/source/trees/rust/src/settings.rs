//! The parameters: each is stated in the file, and one that is missing is an error.

use std::fs;

#[derive(Clone, Debug)]
pub struct Settings {
    pub dry_run: bool,
    pub min_spread_bps: f64,
    pub max_skew_bps: f64,
    pub order_qty: f64,
    pub vol_span: f64,
    pub max_position: f64,
    pub max_notional: f64,
}

fn number(table: &toml::Table, section: &str, name: &str) -> Result<f64, String> {
    let told = table.get(section).and_then(|own| own.get(name));
    told.and_then(|value| value.as_float()).ok_or(format!("{section}.{name} is missing"))
}

/// Reads a file; there is no fallback.
pub fn load(path: &str) -> Result<Settings, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let table: toml::Table = text.parse().map_err(|_| String::from("no TOML"))?;
    Ok(Settings {
        dry_run: table.get("dry_run").and_then(|value| value.as_bool()).ok_or("dry_run is missing")?,
        min_spread_bps: number(&table, "quoting", "min_spread_bps")?,
        max_skew_bps: number(&table, "quoting", "max_skew_bps")?,
        order_qty: number(&table, "quoting", "order_qty")?,
        vol_span: number(&table, "quoting", "vol_span")?,
        max_position: number(&table, "limits", "max_position")?,
        max_notional: number(&table, "limits", "max_notional")?,
    })
}
