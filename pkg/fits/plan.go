package fits

// read is one request: some runs of equal size, or a part of one.
type read struct {
	offset, size int64
	run          int64   // bytes of each run
	starts       []int64 // where in the file they begin
}

// planner divides a section into reads, in the order of the file.
type planner struct {
	*Section
	gap, chunk int64
	at         []int64 // which run along each axis comes next
	offset     int64   // where it begins, or what is left of it
	part       int64   // bytes of it that were read already
	end        bool
}

// next plans the next read, or returns false.
func (p *planner) next(q *read) bool {
	if p.end {
		return false
	}
	q.offset, q.starts = p.offset, append(q.starts[:0], p.offset)
	if left := p.run - p.part; p.part > 0 || left > p.chunk { // a run too long for one read
		q.run = min(left, p.chunk)
		q.size = q.run
		p.part += q.run
		p.offset += q.run
		if p.part == p.run {
			p.offset -= p.run
			p.part = 0
			p.advance()
		}
		return true
	}
	q.run, q.size = p.run, p.run
	for p.advance(); !p.end; p.advance() {
		size := p.offset + p.run - q.offset
		if p.offset-(q.offset+q.size) > p.gap || size > p.chunk || len(q.starts) == maxRuns {
			break
		}
		q.starts = append(q.starts, p.offset)
		q.size = size
	}
	return true
}

// advance goes to the next run.
func (p *planner) advance() {
	for axis := range p.at {
		p.offset += p.step[axis]
		if p.at[axis]++; p.at[axis] < p.count[axis] {
			return
		}
		p.offset -= p.step[axis] * p.at[axis]
		p.at[axis] = 0
	}
	p.end = true
}

// plan begins to divide the section.
func (s *Section) plan() planner {
	return planner{Section: s, at: make([]int64, len(s.count)), offset: s.first, gap: s.Cost.gap(), chunk: s.Cost.chunk(), end: s.size == 0}
}

// total returns how many bytes the reads of a section have, limit if they are more.
func (s *Section) total(limit int64) (n int64) {
	p := s.plan()
	var q read
	for n < limit && p.next(&q) {
		n += q.size
	}
	return min(n, limit)
}

// ring gives out parts of a memory of size bytes, which come back in the order in which
// they were given out.
type ring struct {
	size       int64
	head, tail int64 // where the next part may begin, where the oldest one does
	used       int64 // bytes given out or skipped
	wrap       int64 // where the parts before the first that begins at 0 again end, or 0
}

// take returns where n bytes are, if there is room for them.
func (r *ring) take(n int64) (at int64, ok bool) {
	if r.used == 0 {
		*r = ring{size: r.size}
	}
	switch {
	case r.used > 0 && r.head <= r.tail: // the free part lies between head and tail
		if r.tail-r.head < n {
			return 0, false
		}
	case r.size-r.head < n:
		if r.tail < n {
			return 0, false
		}
		r.wrap, r.head = r.head, 0
	}
	at = r.head
	r.head += n
	r.used += n
	return at, true
}

// release gives back the oldest n bytes.
func (r *ring) release(n int64) {
	r.used -= n
	if r.tail += n; r.wrap > 0 && r.tail == r.wrap {
		r.tail, r.wrap = 0, 0
	}
}
