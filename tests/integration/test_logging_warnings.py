"""Workers log, warn and see the environment as main does."""

from __future__ import annotations

from running import script

HEAD = """
import logging, os, sys, warnings
from boc import Cown, when, wait, quiesce
"""


def test_records_come_to_mains_handlers(tmp_path):
    done = script(
        tmp_path,
        HEAD
        + """
kept = []
class Keep(logging.Handler):
    def emit(self, record): kept.append(record)
logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)
logger.addHandler(Keep())
logger.propagate = False

@when(Cown(0))
def cook(c):
    log = logging.getLogger("shop")
    log.debug("not this")
    log.info("value %d of %s", 5, "pan")
    try: 1 / 0
    except ZeroDivisionError: log.exception("failed")
quiesce()
a, b = kept
assert (a.getMessage(), a.args, a.behavior, a.levelname) == ("value 5 of pan", (5, "pan"), "cook", "INFO")
assert a.worker in (0, 1) and a.lineno > 0 and a.funcName == "cook"
assert b.exc_info[0] is ZeroDivisionError
assert "1 / 0" in logging.Formatter().format(b)

logger.setLevel(logging.DEBUG)
@when(Cown(0))
def again(c):
    logging.getLogger("shop").debug("now")
wait()
assert kept[-1].getMessage() == "now"
""",
    )
    assert done.err == ""


def test_without_configuration_warnings_reach_stderr(tmp_path):
    done = script(
        tmp_path,
        HEAD
        + """
@when(Cown(0))
def cook(c):
    logging.info("quiet")
    logging.warning("loud")
wait()
""",
    )
    assert done.err == "loud\n"


def test_basic_config_of_main(tmp_path):
    done = script(
        tmp_path,
        HEAD
        + """
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(behavior)s %(message)s", stream=sys.stdout)
@when(Cown(0))
def cook(c):
    logging.info("hello")
    logging.basicConfig()
    logging.debug("no")
wait()
""",
    )
    assert done.out == "INFO cook hello\n"


def test_warnings_are_shown_once(tmp_path):
    done = script(
        tmp_path,
        HEAD
        + """
from boc import start
start(workers=3)
for i in range(30):
    @when(Cown(0))
    def cook(c):
        warnings.warn("careful", UserWarning)
wait()
""",
    )
    assert done.err.count("UserWarning: careful") == 1
    assert "program.py" in done.err


def test_filters_by_module_see_the_body_s_module(tmp_path):
    """Python shows deprecations of __main__'s own code by default, and no others."""
    (tmp_path / "older.py").write_text("import warnings\ndef old():\n    warnings.warn('not for users', DeprecationWarning)\n")
    done = script(
        tmp_path,
        HEAD
        + """
import older
@when(Cown(0))
def cook(c):
    warnings.warn("for its author", DeprecationWarning)
    older.old()
wait()
""",
    )
    assert "DeprecationWarning: for its author" in done.err
    assert "not for users" not in done.err


def test_catch_warnings_of_main(tmp_path):
    done = script(
        tmp_path,
        HEAD
        + """
with warnings.catch_warnings(record=True) as shown:
    warnings.simplefilter("always")
    @when(Cown(0))
    def cook(c):
        warnings.warn("old", DeprecationWarning)
    quiesce()
print([(str(w.message), w.category.__name__) for w in shown])
with warnings.catch_warnings():
    warnings.simplefilter("error")
    @when(Cown(0))
    def raises(c):
        warnings.warn("strict")
    try: raises.result()
    except UserWarning as e: print("raised", e)
wait()
""",
    )
    assert done.out == "[('old', 'DeprecationWarning')]\nraised strict\n"
    assert done.err == ""


def test_environment_path_and_cwd_follow_main(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "boc_helper_module.py").write_text("x = 5\n")
    done = script(
        tmp_path,
        HEAD
        + """
c = Cown(0)
def ask():
    @when(c)
    def body(c):
        return (os.environ.get("BOC_TEST_A"), os.getcwd(), sys.getrecursionlimit())
    return body.result()
assert ask()[0] is None
os.environ["BOC_TEST_A"] = "1"
assert ask()[0] == "1"
os.environ["BOC_TEST_A"] = "2"
assert ask()[0] == "2"
del os.environ["BOC_TEST_A"]
assert ask()[0] is None
os.chdir("lib")
assert ask()[1] == os.getcwd()
sys.setrecursionlimit(2345)
assert ask()[2] == 2345
def load():
    @when(c)
    def body(c):
        import boc_helper_module
        return boc_helper_module.x
    return body
try: load().result()
except ModuleNotFoundError: pass
else: raise AssertionError
sys.path.append(os.getcwd())
assert load().result() == 5
wait()
""",
    )
    assert done.err == ""


def test_subprocesses_of_bodies_see_the_environment(tmp_path):
    script(
        tmp_path,
        HEAD
        + """
import subprocess
os.environ["BOC_TEST_B"] = "7"
@when(Cown(0))
def body(c):
    return subprocess.run(["sh", "-c", "echo $BOC_TEST_B"], capture_output=True, text=True).stdout
assert body.result() == "7\\n"
wait()
""",
    )


def test_random_is_seeded_apart(tmp_path):
    script(
        tmp_path,
        HEAD
        + """
import random
from boc import start
start(workers=2)
random.seed(1)
rs = []
for i in range(8):
    @when(Cown(0))
    def r(c): return random.random()
    rs.append(r)
assert len({r.result() for r in rs}) == 8
wait()
""",
    )


def test_asyncio_and_threads_work_in_bodies(tmp_path):
    done = script(
        tmp_path,
        HEAD
        + """
import asyncio, threading
from concurrent.futures import ThreadPoolExecutor
@when(Cown(0))
def body(c):
    async def main():
        await asyncio.sleep(0.001)
        return 3
    with ThreadPoolExecutor(2) as pool:
        return asyncio.run(main()) + sum(pool.map(abs, [-1, -2]))
assert body.result() == 6
wait()
""",
    )
    assert done.err == ""


def test_a_module_that_schedules_at_its_top_level(tmp_path):
    (tmp_path / "shop.py").write_text(
        "from boc import Cown, when\n"
        "stock = Cown(10, name='stock')\n"
        "@when(stock)\n"
        "def first(stock):\n"
        "    print('first runs')\n"
        "    stock.value += 1\n"
        "def buy():\n"
        "    @when(stock)\n"
        "    def bought(stock):\n"
        "        print('bought runs')\n"
        "        return 5\n"
        "    return bought\n"
        "cheese = buy()\n"
        "def sell(stock):\n"
        "    stock.value -= 1\n"
        "def later():\n"
        "    @when(stock)\n"
        "    def more(stock):\n"
        "        stock.value += 100\n"
    )
    done = script(
        tmp_path,
        HEAD
        + """
import shop
@when(shop.stock)
def body(stock):
    shop.sell(stock)
    shop.later()
    return shop.cheese, shop.stock
assert body.result() == (shop.cheese, shop.stock)
assert shop.stock.result() == 110, shop.stock.result()
for i in range(6):
    @when(Cown(i))
    def other(c):
        import shop
        return shop.cheese
    assert other.result() == shop.cheese
assert shop.cheese.result() == 5
wait()
""",
    )
    assert sorted(done.out.splitlines()) == ["bought runs", "first runs"]
    assert done.err == ""
