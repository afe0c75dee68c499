import time, asyncio, pytest
from tests.support.starts import *
from ocean.chain.development import account
pytestmark = pytest.mark.integration
async def test_probe(service, files, buyer):
    t=time.time(); d = await buyer.publish(files.urls["rain.csv"], compute={"allowRawAlgorithm": True}); print("publish", time.time()-t)
    async with Caller.open(service, account(6)) as c:
        t=time.time(); o = await c.buy(d); print("buy", time.time()-t)
        t=time.time(); a = await c.start([o], raw()); print("start", time.time()-t, a.text)
        t=time.time(); j=await c.finished(job_of(a)["jobId"]); print("fin", time.time()-t)
        t=time.time(); service.kill("argo"); await service.wait_ready(); print("argo", time.time()-t)
        t=time.time(); service.kill("api"); await service.wait_ready(); print("api", time.time()-t)
        t=time.time(); await service.stop_part("argo"); print("stop", time.time()-t); t=time.time(); await service.start_part("argo");print("startpart", time.time()-t)
        print(claims(service), await c.ocean_balance())
