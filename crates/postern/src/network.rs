//! The autonomous system and the place of an address, from MaxMind-format files that the operator names.

use std::net::IpAddr;
use std::path::Path;

use idp::NetworkData;
use maxminddb::geoip2::City;
use maxminddb::{MaxMindDbError, PathElement, Reader};
use model::GeoIp;

/// What the files hold, each read into memory once.
#[derive(Default)]
pub struct NetworkFiles {
    /// Autonomous systems.
    pub asn: Option<DataFile>,
    /// Places.
    pub city: Option<DataFile>,
}

/// One file.
pub struct DataFile {
    reader: Reader<Vec<u8>>,
}

impl DataFile {
    /// Reads the file.
    ///
    /// # Errors
    /// The file cannot be read or is not in MaxMind's format.
    pub fn open(file: &Path) -> Result<Self, MaxMindDbError> {
        Ok(Self { reader: Reader::open_readfile(file)? })
    }

    /// How the file names itself, as `GeoLite2-ASN`.
    pub fn name(&self) -> &str {
        self.reader.metadata().database_type.as_str()
    }
}

impl NetworkData for NetworkFiles {
    fn has_asn(&self) -> bool {
        self.asn.is_some()
    }

    fn asn(&self, ip: &str) -> Option<String> {
        let address: IpAddr = ip.parse().ok()?;
        let number: u32 = self
            .asn
            .as_ref()?
            .reader
            .lookup(address)
            .ok()?
            .decode_path(&[PathElement::Key("autonomous_system_number")])
            .ok()??;
        Some(format!("AS{number}"))
    }

    fn geoip(&self, ip: &str) -> Option<Box<GeoIp>> {
        let address: IpAddr = ip.parse().ok()?;
        let found: City<'_> = self.city.as_ref()?.reader.lookup(address).ok()?.decode().ok()??;
        let text = |text: Option<&str>| text.map(str::to_owned);
        let subdivision = found.subdivisions.first();
        let country = found.country.iso_code;
        Some(Box::new(GeoIp {
            city_name: text(found.city.names.english),
            continent_code: text(found.continent.code),
            country_code: text(country),
            // The file has the two letters only.
            country_code3: text(country.and_then(rust_iso3166::from_alpha2).map(|country| country.alpha3)),
            country_name: text(found.country.names.english),
            latitude: found.location.latitude,
            longitude: found.location.longitude,
            subdivision_code: text(subdivision.and_then(|largest| largest.iso_code)),
            subdivision_name: text(subdivision.and_then(|largest| largest.names.english)),
            time_zone: text(found.location.time_zone),
        }))
    }
}
