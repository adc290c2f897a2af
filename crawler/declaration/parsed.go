package declaration

// parsed is what one file says, before files are put together.
type parsed struct {
	file      string
	services  []service
	histories []History
	problems  []Problem
}

// service is one service of one file.
type service struct {
	name, id string
	line     int
	entries  []entry

	// terms counts the documents that were declared, refused ones included;
	// reported those of them about which there is a problem.
	terms, reported int
}

// entry is one document with the sources of its parts, in their order.
type entry struct {
	document Document
	sources  []Source
	lines    []int // of the addresses
	line     int
}
