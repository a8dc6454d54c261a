"""``python -m benchmarks.live``: what a live session costs, on a stage with all of its parts."""
from __future__ import annotations
import sys, time, tempfile
from pathlib import Path
from benchmarks.live_stage import *
from mismartera import Slice
import resource

class S(Strategy):
    def __init__(self):
        super().__init__(); self.at={}; self.rev=0; self.bars=0; self.active=[]
    def on_slice(self, slice):
        self.bars += slice.size
        self.at[slice.end_us if hasattr(slice,'end_us') else slice.end]=time.perf_counter()
    def on_revision(self, bar): self.rev+=1
    def on_session_active(self, a, r): self.active.append((a,r,time.perf_counter()))

def main():
    n=int(sys.argv[1]); minutes=int(sys.argv[2])
    import shutil
    tmp=Path(tempfile.mkdtemp())
    t=time.perf_counter()
    s=S()
    with Stage(n,minutes+1,s,tmp/"store") as st:
        print("start", time.perf_counter()-t, s.active)
        for m in range(minutes):
            f=st.market.frame("b",m,range(n))
            st.reach(st.open_us+(m+1)*MINUTE_US+50_000)
            c=time.process_time(); w=time.perf_counter()
            st.feed.send(f); a=time.perf_counter()
            st.settle(); b=time.perf_counter()
            cpu=time.process_time()-c
            up=list(range(m%20,n,20)); st.market.correct(m,up)
            f=st.market.frame("u",m,up)
            st.reach(st.open_us+(m+1)*MINUTE_US+11_000_000)
            c=time.process_time(); w2=time.perf_counter()
            st.reach(st.open_us+(m+1)*MINUTE_US+30_000_000)
            st.feed.send(f); st.settle()
            e=time.perf_counter()
            print(f"{m}: decode {1e3*(a-w):.1f} all {1e3*(b-w):.1f} cpu {1e3*cpu:.1f}; corr wall {1e3*(e-w2):.1f} cpu {1e3*(time.process_time()-c):.1f} rev {s.rev} commits {st.store.commits[-1:]} rss {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss//1024}")
    print(s.active, s.bars, st.system.warnings[:5])
    shutil.rmtree(tmp)
main()
