// Package declaration reads what to watch: services, their terms, the languages
// they are published in, and the addresses to fetch for them.
//
// # Terms
//
//   - A source is one thing to fetch: an address, the Accept-Language it is
//     asked for with, and the vantage it is asked from. However many documents
//     use it, it is fetched once. Its id is a hash of these three.
//   - A document is what a reader asks for: a service, a terms type and a
//     locale, made of one source or several in order. Its id is
//     "service/terms/lang", for example "x/terms-of-service/zh-cn".
//   - A part is one source of a document and what to keep of it.
//
// # Forms
//
// Two forms are read. Files ending in .yaml or .yml hold our own form; several
// services stand in one file as YAML documents separated by "---":
//
//	name: X                     # display name
//	id: x                       # optional, else made from the name
//	terms:
//	  Terms of Service:         # one of TermsTypes, an alias, or an own name
//	    - url: https://x.com/en/tos
//	      lang: en              # BCP 47
//	      select: [main]        # CSS, or {start_before: …, end_after: …}
//	      remove: [nav]
//	    - lang: zh-CN
//	      combine:              # one document of several addresses
//	        - url: https://x.com/zh-cn/tos
//	        - url: https://x.com/zh-cn/rules
//	          robots: ignore
//	          reason: public contract of a service, two visits a day
//
// An entry takes further: id (replaces the terms part of the document id),
// moved_from (the address before), every and full_every (durations such as 12h
// or 7d), private, robots and reason, accept_language, accept_encoding, vantage,
// remove_query_params, execute_client_scripts and pdf. What an entry with
// combine says of fetching and selecting holds for each of its parts unless the
// part says otherwise. "terms: {}" is a service that has ended.
//
// Files ending in .json hold an Open Terms Archive declaration, the service's id
// being the file's name, and NAME.history.json its earlier forms (see History).
// JavaScript filters and pages that need a browser are reported as warnings with
// the source they concern; nothing is dropped silently.
//
// # Strictness
//
// Unknown keys, wrong types, duplicate keys and contradictions are errors. Each
// is a Problem that names the file, the line, the field and the remedy. A bad
// entry never hides the others: all problems of all files are reported at once.
//
// The package fetches nothing and imports nothing of this module.
package declaration
