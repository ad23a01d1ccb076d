//! The attributes of `postern-actions`.

use proc_macro::{TokenStream, TokenTree};

/// Makes a function the handler of each login: `fn(Event) -> Result<(), Error>`.
#[proc_macro_attribute]
pub fn post_login(_: TokenStream, function: TokenStream) -> TokenStream {
    handler(function, "post_login", "on-execute-post-login")
}

/// Makes a function the handler of a login whose browser is back from where this Action has sent it.
#[proc_macro_attribute]
pub fn post_login_continue(_: TokenStream, function: TokenStream) -> TokenStream {
    handler(function, "post_login_continue", "on-continue-post-login")
}

/// The function as it is, and beside it the export that calls it.
fn handler(function: TokenStream, attribute: &str, export: &str) -> TokenStream {
    let Some(name) = name_of(&function) else {
        let error = format!("::core::compile_error!(\"#[{attribute}] is for a function\");");
        return error.parse().unwrap_or(function);
    };
    let method = export.replace('-', "_");
    let exported = format!(
        r##"
        #[doc(hidden)]
        mod __postern_{attribute} {{
            ::postern_actions::__private::wit_bindgen::generate!({{
                inline: "package postern:{attribute_name}; world handler {{ export {export}: func(event: string) -> result<_, string>; }}",
                runtime_path: "::postern_actions::__private::wit_bindgen::rt",
            }});
            struct Handler;
            impl Guest for Handler {{
                fn {method}(event: ::std::string::String) -> ::core::result::Result<(), ::std::string::String> {{
                    ::postern_actions::__private::run(&event, super::{name})
                }}
            }}
            export!(Handler);
        }}
        "##,
        attribute_name = attribute.replace('_', "-"),
    );
    let mut all = function;
    if let Ok(exported) = exported.parse::<TokenStream>() {
        all.extend(exported);
    }
    all
}

/// What stands after `fn`.
fn name_of(function: &TokenStream) -> Option<String> {
    let mut tokens = function.clone().into_iter();
    tokens.find(|token| matches!(token, TokenTree::Ident(word) if word.to_string() == "fn"))?;
    match tokens.next()? {
        TokenTree::Ident(name) => Some(name.to_string()),
        _ => None,
    }
}
