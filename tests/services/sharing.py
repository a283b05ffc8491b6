"""Which tests stay together where several processes share them: those of a file, as they share servers; those of one platform of the suite;
all that build in build/; all of Spark, which share its processes."""
import re

from xdist.scheduler import LoadScopeScheduling

BUILDING = r"test_(demo|detect|json_test_suite|signatures|wycheproof)\.py"
SPARK = r"test_spark_\w+\.py"
SUITE = r"test_suite\.py::\w+\[\w+(-fifo|-raw)?"


class ByFile(LoadScopeScheduling):
    def _split_scope(self, nodeid):
        if re.search(BUILDING, nodeid):
            return "build"
        if re.search(SPARK, nodeid):
            return "spark"
        platform = re.search(SUITE, nodeid)
        return platform[0].rpartition("[")[2] if platform else nodeid.partition("::")[0]
