package declaration_test

import (
	"fmt"

	"github.com/fineprint-archive/fineprint/crawler/declaration"
)

func ExampleParse() {
	set, err := declaration.Parse("x.yaml", []byte(`
name: X
terms:
  Terms of Service:
    - url: https://x.com/en/tos
      lang: en
    - url: https://x.com/zh-cn/tos
      lang: zh-CN
`), declaration.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range set.Documents {
		source, _ := set.Source(d.Parts[0].Source)
		fmt.Println(d.ID, source.URL, source.AcceptLanguage)
	}
	// Output:
	// x/terms-of-service/en https://x.com/en/tos en
	// x/terms-of-service/zh-cn https://x.com/zh-cn/tos zh-CN,zh;q=0.9
}

func ExampleParse_error() {
	_, err := declaration.Parse("x.yaml", []byte(`
name: X
terms:
  Terms of Service:
    - ulr: https://x.com/en/tos
`), declaration.Options{})
	fmt.Println(err)
	// Output:
	// x.yaml:5: terms.Terms of Service[0].ulr: unknown key; did you mean "url"?
}

// What an archive stores as the declaration in force.
func ExampleSet_Canonical() {
	set, err := declaration.Parse("x.yaml", []byte(`
name: X
terms:
  Terms of Service:
    - url: https://x.com/en/tos
      lang: en
      robots: ignore
      reason: a contract with the public
`), declaration.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(set.Canonical(set.Sources[0].ID)))
	// Output:
	// {"documents":[{"id":"x/terms-of-service/en","lang":"en","parts":[{"source":"b0e2411edd372d3b"}],"service":"X","service_id":"x","terms":"Terms of Service"}],"source":{"accept_language":"en","id":"b0e2411edd372d3b","ignore_robots":true,"robots_reason":"a contract with the public","url":"https://x.com/en/tos"},"v":1}
}

func ExampleSourceID() {
	fmt.Println(declaration.SourceID("https://x.com/en/tos", "en", ""))
	// Output:
	// b0e2411edd372d3b
}
