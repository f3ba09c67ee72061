"""The tests. MySQL's usual client has to be compiled, so one of pure Python takes its place."""

import pymysql

pymysql.version_info = (2, 2, 8, "final", 0)  # what Django asks for by number
pymysql.install_as_MySQLdb()
