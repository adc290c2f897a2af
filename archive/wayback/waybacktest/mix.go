package waybacktest

import (
	"math/rand/v2"
	"time"
)

// PassingFaults returns one fault of each way to go wrong that passes: a client
// that waits and asks again has a whole, true capture in the end. Each is to be
// met once.
func PassingFaults() []Fault {
	list := []Fault{
		{Kind: TooMany}, {Kind: TooMany, RetryAfter: 90 * time.Second},
		{Kind: HTTPStatus}, {Kind: HTTPStatus, Status: 500}, {Kind: HTTPStatus, Status: 502},
		{Kind: HTTPStatus, Status: 503, RetryAfter: 10 * time.Minute}, {Kind: HTTPStatus, Status: 504},
		{Kind: StatusAfter}, {Kind: StatusAfter, Status: 500},
		{Kind: HTML}, {Kind: Reset}, {Kind: Lost}, {Kind: Truncated},
		{Kind: Slow, Delay: 50 * time.Second}, {Kind: Slow, Delay: 90 * time.Second}, {Kind: Dripping, Delay: 20 * time.Second},
		{Kind: WrongClock, Delay: 7 * time.Hour}, {Kind: WrongClock, Delay: -7 * time.Hour},
		{Kind: UnknownFields}, {Kind: Refused},
	}
	list = append(list,
		Fault{Kind: Forgotten, On: opSubmit}, Fault{Kind: Forgotten, On: opStatus}, Fault{Kind: Stuck, On: opSubmit},
		Fault{Kind: Delayed, On: opSubmit, Delay: 3 * time.Hour},
		Fault{Kind: JobError, On: opSubmit, Message: "Job failed"},
		Fault{Kind: JobError, On: opSubmit, Code: "error:proxy-error", Message: "x"},
		Fault{Kind: JobError, On: opSubmit, Code: "error:no-access", Message: "x"},
		Fault{Kind: JobError, On: opSubmit, Code: "error:never-heard-of", Message: "x"},
		Fault{Kind: JobErrorCaptured, On: opSubmit, Code: "error:celery", Message: "x"},
		Fault{Kind: PartialSuccess, On: opSubmit},
		Fault{Kind: NotIndexed, On: opSubmit, Delay: 6 * time.Hour},
		Fault{Kind: AlteredNonce, On: opSubmit},
		Fault{Kind: Body, On: opSubmit, Body: `{"message":"You have already reached the limit of active Save Page Now sessions. Please wait for a minute and then try again."}`},
	)
	for _, op := range []string{opIndex, opReplay} {
		list = append(list, Fault{Kind: Missing, On: op}, Fault{Kind: AccessControl, On: op})
	}
	return append(list, Fault{Kind: Redirected, On: opReplay}, Fault{Kind: WrongMemento, On: opReplay})
}

// LastingFaults returns one fault of each way to go wrong that stays so: the
// capture is not there, or is not what it should be.
func LastingFaults() []Fault {
	return []Fault{
		{Kind: NotIndexed, On: opSubmit}, {Kind: NotKept, On: opSubmit}, {Kind: Vanished, On: opSubmit},
		{Kind: AlteredBytes, On: opSubmit}, {Kind: AlteredWords, On: opSubmit}, {Kind: BlockPage, On: opSubmit},
		{Kind: OddDigest, On: opSubmit}, {Kind: OtherURL, On: opSubmit}, {Kind: WrongTime, On: opSubmit, Delay: 3 * time.Hour},
		{Kind: JobError, On: opSubmit, Code: "error:blocked-url", Message: "x"},
	}
}

// mix is a random series of faults.
type mix struct {
	random *rand.Rand
	rate   float64
	faults []Fault
}

// Mix lets requests meet one of faults (of [PassingFaults] if there are none)
// at random, each with the probability rate, until [Server.Heal]. The same seed
// and the same order of requests give the same series. Faults that were injected
// come first. Times is ignored.
func (s *Server) Mix(seed uint64, rate float64, faults ...Fault) {
	if len(faults) == 0 {
		faults = PassingFaults()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mix = mix{random: rand.New(rand.NewPCG(seed, 1)), rate: rate, faults: faults}
}

// draw draws the fault of a request; mostly none. Server.mu is held.
func (m *mix) draw(c *call) Fault {
	if m.random == nil || m.random.Float64() >= m.rate {
		return Fault{}
	}
	var fitting []Fault
	for _, f := range m.faults {
		if f.concerns(c) {
			fitting = append(fitting, f)
		}
	}
	if len(fitting) == 0 {
		return Fault{}
	}
	return fitting[m.random.IntN(len(fitting))]
}
