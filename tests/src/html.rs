//! As much of HTML as our own pages have: the first form, its fields and its first button.

/// A form as a browser would send it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Form {
    pub method: Option<String>,
    pub action: Option<String>,
    /// With the button that is clicked, if it has a name.
    pub fields: Vec<(String, String)>,
}

impl Form {
    /// The page's first form; its first button is clicked.
    pub fn first_of(page: &str) -> Option<Self> {
        let mut form: Option<Self> = None;
        let mut clicked = false;
        for tag in tags(page) {
            let field =
                |tag: &Tag| Some((tag.attribute("name")?, tag.attribute("value").unwrap_or_default()));
            match (tag.name, &mut form) {
                ("form", None) => {
                    let (method, action) = (tag.attribute("method"), tag.attribute("action"));
                    form = Some(Self { method, action, fields: Vec::new() });
                }
                ("/form", Some(_)) => break,
                ("input", Some(form)) => form.fields.extend(field(&tag)),
                ("button", Some(form)) if !clicked => {
                    clicked = true;
                    form.fields.extend(field(&tag));
                }
                _ => {}
            }
        }
        form
    }

    /// Types into the field, where the form has it.
    pub fn fill(&mut self, name: &str, text: &str) {
        self.fields
            .iter_mut()
            .filter(|(known, _)| known == name)
            .for_each(|(_, value)| text.clone_into(value));
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A start or end tag.
pub struct Tag<'a> {
    pub name: &'a str,
    rest: &'a str,
}

impl Tag<'_> {
    /// The attribute's value, its characters decoded.
    pub fn attribute(&self, wanted: &str) -> Option<String> {
        let mut rest = self.rest;
        while let Some((name, after)) = rest.split_once("=\"") {
            let (value, after) = after.split_once('"')?;
            // Attributes without a value may come before the name.
            if name.split_whitespace().next_back() == Some(wanted) {
                return Some(decode(value));
            }
            rest = after;
        }
        None
    }
}

/// All tags in their order. Values of attributes are in double quotes.
pub fn tags(page: &str) -> impl Iterator<Item = Tag<'_>> {
    page.split('<').skip(1).map(|tag| {
        let mut quoted = false;
        let end = tag.find(|character| {
            quoted ^= character == '"';
            character == '>' && !quoted
        });
        let tag = &tag[..end.unwrap_or(tag.len())];
        let (name, rest) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        Tag { name, rest }
    })
}

/// The numeric and the few named character references.
fn decode(text: &str) -> String {
    let mut parts = text.split('&');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (reference, rest) = part.split_once(';').unwrap_or((part, ""));
        let number = reference.strip_prefix('#').map(|number| match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        });
        match (reference, number) {
            (_, Some(number)) => decoded.extend(number.ok().and_then(char::from_u32)),
            ("amp", _) => decoded.push('&'),
            ("lt", _) => decoded.push('<'),
            ("gt", _) => decoded.push('>'),
            ("quot", _) => decoded.push('"'),
            (other, _) => panic!("unknown character reference {other}"),
        }
        decoded.push_str(rest);
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_with_its_fields_decoded_and_its_first_button() {
        let page = "<p><a href=\"?a=1&#38;b\">x</a><form method=\"post\" action=\"/u/login?a&#38;b\">\n\
            <input type=\"hidden\" name=\"csrf\" value=\"&#60;&#34;&#x27;&amp;>\"><input id=\"u\" name=\"username\" required>\
            <button type=\"submit\" name=\"decision\" value=\"connect\">Yes</button>\
            <button type=\"submit\" name=\"decision\" value=\"cancel\">No</button></form><form><input name=\"z\"></form>";
        let mut form = Form::first_of(page).expect("a form");
        form.fill("username", "ada");
        form.fill("nothing", "x");
        assert_eq!(form.action.as_deref(), Some("/u/login?a&b"));
        let fields: Vec<_> =
            form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(fields, [("csrf", "<\"'&>"), ("username", "ada"), ("decision", "connect")]);
        assert_eq!(Form::first_of("<p>no form</p>"), None);
    }
}
