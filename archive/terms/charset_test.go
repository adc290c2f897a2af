package terms

import (
	"strings"
	"testing"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding/unicode"
)

// encoded returns s in a character set.
func encoded(t *testing.T, s, name string) []byte {
	t.Helper()
	e, canonical := charset.Lookup(name)
	if e == nil {
		t.Fatal("no character set", name)
	}
	if strings.HasPrefix(canonical, "utf-16") {
		order := unicode.LittleEndian
		if canonical == "utf-16be" {
			order = unicode.BigEndian
		}
		e = unicode.UTF16(order, unicode.IgnoreBOM)
	}
	b, err := e.NewEncoder().String(s)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(b)
}

func TestDecodeBody(t *testing.T) {
	const (
		zh = "我们收集您提供的信息，并且使用这些信息来训练人工智能模型。您有权查阅、更正和删除自己的个人信息，也可以随时撤回同意。"
		tw = "我們蒐集您提供的資料，並且使用這些資料來改善服務。您有權查閱、更正和刪除自己的個人資料，也可以隨時撤回同意。"
		ja = "当社は、お客様が提供した情報を収集し、これらの情報をサービスの改善のために使用します。お客様は同意を撤回することができます。"
		ko = "당사는 이용자가 제공한 정보를 수집하며 서비스의 개선을 위하여 이러한 정보를 이용합니다. 이용자는 언제든지 동의를 철회할 수 있습니다."
		ru = "Мы собираем сведения, которые вы нам предоставляете, и используем их для улучшения сервиса. Вы можете отозвать своё согласие."
		de = "Wir löschen Ihre Daten spätestens nach sechs Monaten, soweit das möglich ist."
	)
	meta := func(label string) string { return `<meta charset="` + label + `">` }
	for _, test := range []struct {
		name, contentType, head, text, as, want string
		problem                                 string // "" if none
	}{
		{"header", "text/html; charset=GB2312", "", zh, "gbk", "gbk", ""},
		{"gb18030", "text/html; charset=gb18030", "", zh + "𠮷", "gb18030", "gb18030", ""},
		{"meta", "text/html", meta("big5"), tw, "big5", "big5", ""},
		{"meta late", "text/html", "<!--" + strings.Repeat("x", 3000) + "-->" + meta("Shift_JIS"), ja, "shift_jis", "shift_jis", ""},
		{"meta http-equiv", "", `<META HTTP-EQUIV="Content-Type" content="text/html; charset=euc-jp">`, ja, "euc-jp", "euc-jp", ""},
		{"escapes", "text/html; charset=iso-2022-jp", "", ja, "iso-2022-jp", "iso-2022-jp", ""},
		{"escapes undeclared", "text/html", "", ja, "iso-2022-jp", "iso-2022-jp", ""},
		{"header before meta", "text/html; charset=euc-kr", meta("gbk"), ko, "euc-kr", "euc-kr", ""},
		{"xml", "application/xhtml+xml", `<?xml version="1.0" encoding="windows-1251"?>`, ru, "windows-1251", "windows-1251", ""},
		{"latin", "text/html; charset=iso-8859-1", "", de, "windows-1252", "windows-1252", ""},
		{"koi8", "text/html; charset=koi8-r", "", ru, "koi8-r", "koi8-r", ""},
		{"utf-16 declared is not", "text/html", meta("utf-16"), zh, "utf-8", "utf-8", ""},
		{"utf-16", "text/html", "<html>", strings.Repeat("Terms of use. ", 40) + ru, "utf-16le", "utf-16le", ""},
		{"utf-16be", "text/html", "<html>", strings.Repeat("Terms of use. ", 40) + ru, "utf-16be", "utf-16be", ""},
		{"utf-8 declared as gbk", "text/html; charset=gbk", "", zh, "utf-8", "utf-8", "says gbk, is utf-8"},
		{"utf-8 declared as latin", "text/html; charset=iso-8859-1", "", "§ 4", "utf-8", "utf-8", "says windows-1252, is utf-8"},
		{"gbk declared as utf-8", "text/html; charset=utf-8", "", zh, "gbk", "gb18030", "says utf-8, is gb18030"},
		{"meta right, header wrong", "text/html; charset=utf-8", meta("shift_jis"), ja, "shift_jis", "shift_jis", "says utf-8, is shift_jis"},
		{"undeclared zh", "", "", zh, "gbk", "gb18030", ""},
		{"undeclared tw", "", `<html lang="zh-TW">`, tw, "big5", "big5", ""},
		{"undeclared sjis", "", "", ja, "shift_jis", "shift_jis", ""},
		{"undeclared euc-jp", "", "", ja, "euc-jp", "euc-jp", ""},
		{"undeclared ko", "", "", ko, "euc-kr", "euc-kr", ""},
		{"undeclared ru", "", "", ru, "windows-1251", "windows-1251", ""},
		{"undeclared koi8", "", "", ru, "koi8-r", "koi8-r", ""},
		{"undeclared de", "", "", de, "windows-1252", "windows-1252", ""},
		{"undeclared pl", "", `<html lang=pl>`, "Zbieramy dane, które nam podajesz, żółć.", "windows-1250", "windows-1250", ""},
		{"undeclared pl behind Polish", "", `<!-- żółć, żółć --><HTML LANG=PL>`, "Zbieramy dane, które nam podajesz, żółć.", "windows-1250", "windows-1250", ""},
		{"undeclared ar", "", `<html lang="ar">`, "نحن لا نبيع بياناتك", "windows-1256", "windows-1256", ""},
		{"undeclared he", "", `<html lang="he">`, "איננו מוכרים מידע", "windows-1255", "windows-1255", ""},
		{"unknown label", "text/html; charset=klingon", "", zh, "utf-8", "utf-8", ""},
		{"quoted label", `text/html; charset="utf-8"`, "", zh, "utf-8", "utf-8", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			body := encoded(t, test.head+"<p>"+test.text+"</p>", test.as)
			d := decodeBody(Input{Body: body, ContentType: test.contentType}, true)
			problem := ""
			if len(d.problems) > 0 {
				problem = d.problems[0].Detail
			}
			if d.charset != test.want || problem != test.problem {
				t.Errorf("charset %s, problem %q; want %s, %q", d.charset, problem, test.want, test.problem)
			}
			if !strings.Contains(string(d.text), test.text) {
				t.Errorf("text is %q", d.text)
			}
		})
	}
}

func TestDecodeBodyBroken(t *testing.T) {
	for _, test := range []struct{ name, contentType, body, want, problem string }{
		{"byte order mark wins", "text/html; charset=gbk", "\xEF\xBB\xBFé", "é", ""},
		{"utf-16 mark", "", "\xFF\xFEa\x00\xE9\x00", "aé", ""},
		{"a few broken bytes", "text/html; charset=utf-8", strings.Repeat("é", 30) + "\xFF.", strings.Repeat("é", 30) + "\uFFFD.", "1 places are no text in utf-8"},
		{"cut off", "text/html; charset=utf-8", strings.Repeat("é", 30) + "\xE6\x88", strings.Repeat("é", 30) + "\uFFFD", "1 places are no text in utf-8"},
		{"NUL", "text/html", "a\x00b", "ab", ""},
		{"empty", "", "", "", ""},
	} {
		d := decodeBody(Input{Body: []byte(test.body), ContentType: test.contentType}, true)
		problem := ""
		if len(d.problems) > 0 {
			problem = d.problems[0].Detail
		}
		if string(d.text) != test.want || problem != test.problem {
			t.Errorf("%s: %q, problem %q; want %q, %q", test.name, d.text, problem, test.want, test.problem)
		}
	}
}
