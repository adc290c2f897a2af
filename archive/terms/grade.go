package terms

import "net/http"

// Grade says what a capture shows. Only Terms counts: of every other grade no
// version is made, whatever its text; the bytes are kept all the same.
type Grade string

// The grades, a closed list.
const (
	GradeTerms         Grade = "terms"
	GradeBlocked       Grade = "blocked"
	GradeLogin         Grade = "login"
	GradeConsent       Grade = "consent"
	GradeSoft404       Grade = "soft-404"
	GradeNeedsBrowser  Grade = "needs-browser"
	GradeEmpty         Grade = "empty"
	GradeErrorPage     Grade = "error-page"
	GradeRedirect      Grade = "redirect"
	GradeStartPage     Grade = "start-page"
	GradeShrunk        Grade = "shrunk"
	GradeOtherLanguage Grade = "other-language"
	GradeUnreadable    Grade = "unreadable"
	GradeTruncated     Grade = "truncated"
)

// gradeMeanings holds every grade, in the order of Grades.
var gradeMeanings = []struct {
	grade   Grade
	meaning string
}{
	{GradeTerms, "the page shows a text, and nothing says that it is not the one asked for"},
	{GradeBlocked, "the site, or a service in front of it, refused us or asked for proof that we are no robot"},
	{GradeLogin, "the page asks to log in and shows no text before that"},
	{GradeConsent, "the page only asks for consent, an age or a region and shows no text before that"},
	{GradeSoft404, "the page says that it does not exist, with a status of success"},
	{GradeNeedsBrowser, "the page is a shell whose text is made by scripts"},
	{GradeEmpty, "there is no text"},
	{GradeErrorPage, "the server answered with an error, by its status or in words"},
	{GradeRedirect, "the page only sends on to another address"},
	{GradeStartPage, "the address led to the start page of a site"},
	{GradeShrunk, "the text has less than half of the words of the last good one"},
	{GradeOtherLanguage, "the text is in another language than the last good one"},
	{GradeUnreadable, "the format or the characters cannot be read"},
	{GradeTruncated, "the body ended before its end"},
}

// Grades returns all grades.
func Grades() []Grade {
	all := make([]Grade, len(gradeMeanings))
	for i, m := range gradeMeanings {
		all[i] = m.grade
	}
	return all
}

// Meaning returns one sentence without a full stop, "" for what is no grade.
func (g Grade) Meaning() string {
	for _, m := range gradeMeanings {
		if m.grade == g {
			return m.meaning
		}
	}
	return ""
}

// Capture is what the exchange of a capture says beside its body.
type Capture struct {
	Status    int         // of the last answer; 0 if not known, then taken for 200
	Header    http.Header // of the last answer; may be nil
	URL       string      // that was declared
	FinalURL  string      // that answered, after redirects; "" is URL
	Size      int64       // bytes of the body, content codings undone
	Truncated bool        // the body ended before its end, or at our limit
}

// Verdict is a grade and why it was given.
type Verdict struct {
	Grade Grade `json:"grade"`
	// Reason names what decided: the header, the phrase with the place it stood
	// in, or the counts. It is "" for Terms.
	Reason string `json:"reason,omitempty"`
}
