//! The autonomous system of an address, from a MaxMind-format file that the operator names.

use std::net::IpAddr;
use std::path::Path;

use idp::NetworkData;
use maxminddb::{MaxMindDbError, PathElement, Reader};

/// ASN data from a file, read into memory once.
pub struct AsnDatabase {
    reader: Reader<Vec<u8>>,
}

impl AsnDatabase {
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

impl NetworkData for AsnDatabase {
    fn has_asn(&self) -> bool {
        true
    }

    fn asn(&self, ip: &str) -> Option<String> {
        let address: IpAddr = ip.parse().ok()?;
        let number: u32 = self
            .reader
            .lookup(address)
            .ok()?
            .decode_path(&[PathElement::Key("autonomous_system_number")])
            .ok()??;
        Some(format!("AS{number}"))
    }
}
