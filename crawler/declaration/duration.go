package declaration

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The shortest and longest time between two looks that make sense.
const (
	minEvery = time.Second
	maxEvery = 10 * 365 * 24 * time.Hour
)

// parseEvery reads a time between looks: what time.ParseDuration reads, after
// optional weeks and days ("7d", "1w", "1d12h"). A day has 24 hours.
func parseEvery(s string) (time.Duration, error) {
	var d time.Duration
	rest := s
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}} {
		number, after, found := strings.Cut(rest, unit.name)
		if !found {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration", s)
		}
		d += time.Duration(n) * unit.size
		rest = after
	}
	if rest != "" {
		small, err := time.ParseDuration(rest)
		if err != nil || small < 0 {
			return 0, fmt.Errorf("%q is not a duration", s)
		}
		d += small
	}
	if d < minEvery || d > maxEvery {
		return 0, fmt.Errorf("duration %q is outside 1s to 3650d", s)
	}
	return d, nil
}
