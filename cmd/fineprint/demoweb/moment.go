package demoweb

import (
	"fmt"
	"time"
)

// Moment is a point in the history of the site.
type Moment int

// The moments, in order of time.
const (
	Before    Moment = iota // the old terms
	Announced               // new and old terms on one page
	After                   // the new terms
)

// Moments returns all moments in order of time.
func Moments() []Moment { return []Moment{Before, Announced, After} }

// Time returns when the moment is in the story, in UTC.
func (m Moment) Time() time.Time {
	switch m {
	case Before:
		return time.Date(2024, time.February, 21, 9, 0, 0, 0, time.UTC)
	case Announced:
		return time.Date(2024, time.October, 17, 9, 0, 0, 0, time.UTC)
	case After:
		return time.Date(2024, time.November, 16, 9, 0, 0, 0, time.UTC)
	}
	panic(fmt.Sprintf("demoweb: no moment %d", int(m)))
}

// String returns a word for the moment.
func (m Moment) String() string {
	switch m {
	case Before:
		return "before"
	case Announced:
		return "announced"
	case After:
		return "after"
	}
	return fmt.Sprintf("Moment(%d)", int(m))
}

// Step is what to tell a reader at a moment.
type Step struct {
	Moment Moment
	Title  string // one line without a full stop or the date
	Text   string // a few sentences on one line, for the caller to wrap
}

// Story returns the steps in order of time.
func Story() []Step {
	return []Step{
		{Before, "The terms as they were",
			"Plumvane, an invented service, keeps photographs. Its terms ask for the licence that the service needs, " +
				"in English and in Chinese. Thirteen pages are declared. The conditions for sellers are not fetched: robots.txt " +
				"says no. The agreement for partners stands under the same rule and is fetched, because its declaration says " +
				"robots: ignore and gives a reason. Both facts are recorded."},
		{Announced, "A change is announced",
			"The terms page now shows two texts: terms that will apply in a month, and below them the ones that apply today. " +
				"The new ones have one sentence more. It is a bad day for crawlers as well: one page answers 503 and works " +
				"at the second look, another answers 403 with a challenge, and a third sends a challenge with status 200, " +
				"as if it were the text. All of it is kept as it came, and the failures are named for what they are."},
		{After, "The new terms apply",
			"Only the new terms are left on the page. Members' pictures now train artificial intelligence, and there is " +
				"no way to opt out. One page is cut off in the middle: the half is kept, labelled truncated, and a " +
				"second look gets the whole. Pages whose bytes have not changed cost a revisit record each."},
	}
}
