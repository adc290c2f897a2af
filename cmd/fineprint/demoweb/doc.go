// Package demoweb is a small web with a history, for `fineprint demo` and for
// tests: the legal pages of Plumvane, an invented photo-sharing service, in
// English and Chinese, at three moments. All texts are written for this package.
//
// # What happens in it
//
//   - Before: terms of service that ask for the licence the service needs.
//   - Announced: the terms page shows two texts, first the new terms and then
//     the ones that still apply. The new ones have one sentence more: content
//     trains artificial intelligence, and nobody can opt out.
//   - After: only the new terms. Their date has changed too.
//
// # What a crawler meets
//
// Host www.plumvane.example (WWW) has the documents, static.plumvane.example
// (Static) what they need to look as they do.
//
//	/robots.txt         disallows /internal/
//	/en/terms           terms of service, the change
//	/zh-cn/terms        the same in Chinese, sent in chunks
//	/en/privacy         has an ETag: a conditional request is answered with 304
//	/zh-cn/privacy      coded in gb18030
//	/en/community       a comment after the page differs at each request
//	/zh-cn/community    Announced: 403 and "Just a moment..."
//	/community          301 with a body to /en/community
//	/legal              301 with a body to /en/terms
//	/cookies            English or Chinese by Accept-Language;
//	                    Announced, English: 200 and "Just a moment..."
//	/en/copyright       Announced: 503 with Retry-After: 1 at the first request
//	/en/developers      After: the connection is cut at the first request
//	/internal/sellers   disallowed by robots.txt
//	/internal/partners  disallowed, declared with robots: ignore
//
//	/css/legal.css      imports type.css, has a background image
//	/css/type.css       has a font
//	/img/paper.png, /img/mark.png, /font/caps.ttf
//
// Text is sent in gzip to whoever accepts it.
//
// # What is the same each time
//
// At the same moment and with the same Base a page has the same bytes, except
// for the comment of /en/community. The fields Date and X-Request-Id count the
// requests since Set, so header blocks differ between two looks while bodies do
// not. Neither a clock nor chance is used. Date tells the time of the story, not
// that of the machine.
//
// The pictures are drawn in pictures.go. The font has the two letters P and V,
// drawn for this package. The package imports nothing of this module.
package demoweb
